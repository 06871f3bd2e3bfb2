/**
 * Opens connections to mail servers outside for friends' boxes, each from the friend's own address. What passes is the
 * friend's: TLS is between their server and the far one. Deny by default: a friend whom the file does not allow it, another
 * port than 25, and every address that is not somebody else's public one are refused.
 */
import type { Socket } from "node:net"
import { networkInterfaces } from "node:os"
import type { Config } from "../config/config.ts"
import { fault, FaultError, type FaultCode } from "../faults/faults.ts"
import type { Log } from "../log/log.ts"
import { endpointText, type Endpoint } from "../names/endpoint.ts"
import { ipAddress, type IpAddress } from "../names/ip-address.ts"
import type { Engine } from "../net/engine.ts"
import type { Internet } from "../net/internet.ts"
import type { Meter } from "../net/meter.ts"
import { reset } from "../net/reset.ts"
import { resolve } from "../net/resolve.ts"
import type { Friend, FriendName } from "../route/route.ts"
import type { Ask, AskId } from "../tunnel/ask.ts"
import type { RelayEnd } from "../tunnel/relay-end.ts"
import type { OutgoingAccounts } from "./outgoing-accounts.ts"
import { waysOut, type Way } from "./ways-out.ts"

/** RFC 5321 §4.5.4.2: where mail servers are. */
export const MAIL_PORT = 25
/** Ours: for all addresses of a mail server together; Postfix waits as long for one (smtp_connect_timeout). */
const CONNECT_MS_MAX = 30_000

export type OutgoingOptions = {
  readonly config: () => Pick<Config, "relay" | "listeners" | "friends" | "limits">
  readonly internet: Internet
  readonly accounts: OutgoingAccounts
  readonly splice: Engine["splice"]
  /** What counts a friend's connections, and may hold them back. */
  readonly meterOf: (friend: FriendName) => Meter | undefined
  /** Is told of each connection, for whoever waits until nothing is carried. */
  readonly carrying: (ended: Promise<unknown>) => void
  readonly log: Log
}

type Box = Pick<RelayEnd, "hear" | "answer">

export class Outgoing {
  readonly #options: OutgoingOptions

  constructor(options: OutgoingOptions) {
    this.#options = options
  }

  /** Answers what this box asks for, as long as its tunnel lives. */
  serve(friend: FriendName, box: Box): void {
    box.hear((ask) => this.#answer(friend, box, ask))
  }

  async #answer(name: FriendName, box: Box, { id, to }: Ask): Promise<void> {
    const { accounts, log } = this.#options
    try {
      const opened = await this.#open(name, to)
      accounts.count(name, "opened")
      this.#handOver(name, box, id, opened)
    } catch (error) {
      if (!(error instanceof FaultError)) throw error
      const { code, detail } = error.fault
      accounts.count(name, code)
      log.warn("outgoing refused", { friend: name, to: endpointText(to), code, detail })
      box.answer({ kind: "refused", id, code })
    }
  }

  /** Rejects with the `FaultError` whose code the box is told. */
  async #open(name: FriendName, to: Endpoint): Promise<Opened> {
    const friend = this.#options.config().friends.find((one) => one.name === name)
    if (!friend?.outgoingMail) throw refusal("OUTGOING_OFF", `${name} has no outgoing-mail in the relay's file`)
    if (to.port !== MAIL_PORT) throw refusal("OUTGOING_PORT", `port ${to.port}`)
    const ended = this.#options.accounts.begin(name, friend.outgoingMail)
    if (!ended) throw refusal("OUTGOING_TOO_MANY", "outgoing-mail in the relay's file says how many")
    try {
      return { ended, ...(await this.#connect(await this.#waysTo(to, friend))) }
    } catch (error) {
      ended()
      throw error
    }
  }

  /** Names are resolved here, once, and what was looked at is what is dialled: no second answer can lead elsewhere. */
  async #waysTo(to: Endpoint, friend: Friend): Promise<readonly Way[]> {
    const { internet } = this.#options
    const [addresses, ours] = await Promise.all([resolve(to, internet.lookup), this.#ours()])
    const out = waysOut(addresses, friend.addresses, ours)
    if (out.kind === "ways") return out.ways
    throw refusal(out.code, addresses.map(({ address }) => address).join(", "))
  }

  async #connect(ways: readonly Way[]): Promise<Pick<Opened, "socket" | "way">> {
    let failure: unknown
    for (const way of ways) {
      try {
        const socket = await this.#options.internet.connect(way.to, way.from, CONNECT_MS_MAX / ways.length)
        return { socket, way }
      } catch (error) {
        failure = error // the next address may answer
      }
    }
    throw failure
  }

  /**
   * Every address that leads back to this machine: its own, those of its file, and what its name means outside (behind a
   * provider's address translation it has that address on none of its interfaces). Programs on it trust connections from it.
   */
  async #ours(): Promise<ReadonlySet<IpAddress>> {
    const { config, internet } = this.#options
    const { relay, listeners, friends } = config()
    const named = await internet.lookup(relay.name).catch(() => [])
    const interfaces = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
    const texts = [...named, ...interfaces.map(({ address }) => address)]
    return new Set([
      ...texts.flatMap((text) => ipAddress(text) ?? []),
      ...listeners.flatMap(({ bind }) => bind.map(({ address }) => address)),
      ...friends.flatMap(({ addresses }) => addresses),
    ])
  }

  #handOver(friend: FriendName, box: Box, id: AskId, { socket, way, ended }: Opened): void {
    const { splice, config, meterOf, carrying, log } = this.#options
    const stream = box.answer({
      kind: "opened",
      id,
      remote: way.to,
      local: { address: way.from, port: portOf(socket) },
    })
    if (!stream) {
      ended() // the box's tunnel is being left, and nobody waits any more
      return reset(socket)
    }
    const spliced = splice(socket, stream, { idleDeadlineMs: config().limits.idleDeadlineMs, meter: meterOf(friend) })
    const told = spliced.then(({ how, leftToRightBytes: bytesIn, rightToLeftBytes: bytesOut }) => {
      ended()
      log.info("outgoing", { friend, to: endpointText(way.to), from: way.from, how, bytesIn, bytesOut })
    })
    carrying(told)
  }
}

type Opened = { readonly socket: Socket; readonly way: Way; readonly ended: () => void }

function refusal(code: FaultCode, detail: string): FaultError {
  return new FaultError(fault(code, detail))
}

/** An open socket has one. */
function portOf({ localPort = 0 }: Socket): number {
  return localPort
}
