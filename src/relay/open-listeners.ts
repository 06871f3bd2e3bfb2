/**
 * The listening addresses of a relay, as a set that is moved from one configuration to the next: new ones are opened
 * first, and only when all of them are open are the ones closed that are no longer wanted. Connections go on.
 */
import type { Listener } from "../config/config.ts"
import { endpointText, type SocketAddress } from "../names/endpoint.ts"
import type { ListenerName, Protocol } from "../route/route.ts"
import type { Decide, Ended, Engine, ListenOptions, OpenListener } from "../net/engine.ts"

export type Bound = { readonly listener: string; readonly asked: SocketAddress; readonly bound: SocketAddress }

export type ListenerSet = {
  readonly engine: Pick<Engine, "listen">
  readonly ask: (protocol: Protocol) => ListenOptions["ask"]
  /** Asked once for each address; what it answers serves every later configuration too. */
  readonly decideFor: (listener: ListenerName) => Decide
  readonly ended: (report: Ended) => void
  readonly decideDeadlineMs: () => number
  /** Descriptors that this process was started with and that listen there. */
  readonly given?: (place: SocketAddress) => readonly number[]
}

/** One address of one listener. What changes here cannot be changed in place. */
type Place = { readonly listener: Listener; readonly bind: SocketAddress }
type Opened = Place & { readonly open: OpenListener }

export class OpenListeners {
  readonly #set: ListenerSet
  readonly #opened = new Map<string, Opened>()
  /** Closed ones that may still carry. */
  readonly #draining = new Set<OpenListener>()

  constructor(set: ListenerSet) {
    this.#set = set
  }

  get bound(): readonly Bound[] {
    return [...this.#opened.values()].map(({ listener, bind, open }) => ({
      listener: listener.name,
      asked: bind,
      bound: open.bound,
    }))
  }

  /** Rejects with BIND_REFUSED; then everything is as it was. */
  async change(listeners: readonly Listener[]): Promise<void> {
    const wanted = placesOf(listeners)
    const dropped = [...this.#opened].filter(([key]) => !wanted.has(key))
    const added = [...wanted].filter(([key]) => !this.#opened.has(key))
    const addedAddresses = new Set(added.map(([, { bind }]) => endpointText(bind)))
    const inTheWay = dropped.filter(([, { bind }]) => addedAddresses.has(endpointText(bind)))
    await this.#stopAll(inTheWay)
    try {
      await this.#openAll(added)
    } catch (error) {
      await this.#openAll(inTheWay)
      throw error
    }
    await this.#stopAll(dropped.filter(([key]) => this.#opened.has(key)))
  }

  /** What another process can be given to listen at the same places. */
  get descriptors(): readonly number[] {
    return [...this.#opened.values()].flatMap(({ open }) => open.descriptors)
  }

  /** Accepts nothing more; resolves when nothing is carried any more. */
  async stop(): Promise<void> {
    await this.change([])
    await Promise.all([...this.#draining].map((open) => open.drained()))
  }

  /** All of them, or none. */
  async #openAll(places: readonly (readonly [string, Place])[]): Promise<void> {
    const opened: [string, Opened][] = []
    try {
      for (const [key, { listener, bind }] of places) {
        opened.push([key, { listener, bind, open: await this.#open({ listener, bind }) }])
      }
    } catch (error) {
      await Promise.all(opened.map(([, { open }]) => open.stop()))
      throw error
    }
    for (const [key, place] of opened) this.#opened.set(key, place)
  }

  #open({ listener, bind }: Place): Promise<OpenListener> {
    const { engine, ask, decideFor, ended, decideDeadlineMs, given = () => [] } = this.#set
    const { name, protocol } = listener
    const options = { name, bind, ask: ask(protocol), decideDeadlineMs: decideDeadlineMs(), ended, given: given(bind) }
    return engine.listen(options, decideFor(listener.name))
  }

  async #stopAll(places: readonly (readonly [string, Opened])[]): Promise<void> {
    await Promise.all(
      places.map(async ([key, { open }]) => {
        this.#opened.delete(key)
        this.#draining.add(open)
        await open.stop()
        void open.drained().then(() => this.#draining.delete(open))
      }),
    )
  }
}

/** Two places are the same if nothing that was fixed when the address was opened differs. */
function placesOf(listeners: readonly Listener[]): ReadonlyMap<string, Place> {
  return new Map(
    listeners.flatMap((listener) =>
      listener.bind.map((bind) => [`${listener.name} ${listener.protocol} ${endpointText(bind)}`, { listener, bind }]),
    ),
  )
}
