/** Everybody around an engine under test: services, visitors and listeners, all of whom are gone after each test. */
import { afterEach, beforeEach } from "@jest/globals"
import type { SocketAddress } from "../../src/names/endpoint.ts"
import type { Decide, Engine, ListenOptions } from "../../src/net/engine.ts"
import { backend, type Backend } from "./backend.ts"
import { openSockets } from "./descriptors.ts"
import { carry, door, type Door } from "./door.ts"
import { eventually } from "./eventually.ts"
import type { Peer } from "./peer.ts"
import { visitor } from "./visitor.ts"

export type EngineWorld = {
  /** A new one for each test. */
  readonly engine: Engine
  readonly service: (serve?: (peer: Peer) => void, host?: string) => Promise<Backend>
  readonly listens: (decide: Decide, options?: Partial<ListenOptions>) => Promise<Door>
  readonly arrives: (to: SocketAddress, from?: string) => Promise<Peer>
  /** A visitor who has said `hello`, and the service's end of the same connection, which has heard it. */
  readonly carried: (serve?: (peer: Peer) => void) => Promise<{ alice: Peer; home: Peer; relay: Door }>
}

/** To be called where tests are described. A test after which a socket is still open fails. */
export function engineWorld(start: () => Engine): EngineWorld {
  let engine: Engine
  let opened: Backend[]
  let arrived: Peer[]
  let socketsBefore: number

  beforeEach(() => {
    socketsBefore = openSockets()
    engine = start()
    opened = []
    arrived = []
  })

  afterEach(async () => {
    await engine.close()
    for (const each of arrived) each.socket.destroy()
    for (const each of opened) await each.close()
    await eventually(`${openSockets()} sockets are ${socketsBefore} again`, () => openSockets() <= socketsBefore)
  })

  const world: EngineWorld = {
    get engine() {
      return engine
    },
    service: async (serve, host) => {
      const made = await backend(serve, host)
      opened.push(made)
      return made
    },
    listens: (decide, options) => door(engine, decide, options),
    arrives: async (to, from) => {
      const made = await visitor(to, from)
      arrived.push(made)
      return made
    },
    carried: async (serve) => {
      const target = await world.service(serve)
      const relay = await world.listens(() => carry(target.at))
      const alice = await world.arrives(relay.bound)
      alice.say("hello")
      const home = await target.accepted()
      await home.hears("hello")
      return { alice, home, relay }
    },
  }
  return world
}
