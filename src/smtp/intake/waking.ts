/**
 * A friend's server asks for its mail: ETRN (RFC 1985), which has us connect to it, and ATRN (RFC 2645), which turns its own
 * connection round. Commands in, answers out; no socket. Who may not ask is told what everybody is told of a word that
 * nobody knows, so that strangers learn nothing about friends.
 */
import { randomBytes } from "node:crypto"
import type { Socket } from "node:net"
import type { Clock } from "../../clock/clock.ts"
import { fault, type Fault } from "../../faults/faults.ts"
import { hostname, type Hostname } from "../../names/hostname.ts"
import type { IpAddress } from "../../names/ip-address.ts"
import { sourceOf } from "../../net/admission.ts"
import { MinuteCount } from "../../net/minute-count.ts"
import type { FriendName, ListenerName } from "../../route/route.ts"
import { Login, beginLogin, type LoginStep, type Mechanism } from "./login.ts"

export type WakingOptions = {
  readonly name: Hostname
  readonly clock: Clock
  /** The friends whose servers may ask from this address. */
  readonly wakers: (address: IpAddress) => readonly FriendName[]
  /** Whether mail for a domain is kept for this friend. */
  readonly isOf: (friend: FriendName, domain: Hostname) => boolean
  /** Has us connect to the friend's server. Rejects where the spool fails. */
  readonly wake: (friend: FriendName) => Promise<unknown>
  /** Whether servers log in there to fetch. */
  readonly isFetchedAt: (listener: ListenerName) => boolean
  /** What the friend's server proves itself by; `undefined`: it has no such thing, or there is no such friend. */
  readonly secretOf: (friend: FriendName) => Promise<string | undefined>
  /** Why the friend's mail cannot be fetched at the moment over a connection like this. */
  readonly hindrance: (friend: FriendName, secure: boolean) => Promise<Fault | undefined>
  /** Takes over a connection on which we are the client from here on. */
  readonly turned: (fetching: Fetching, socket: Socket) => void
}

/** `domains`: of these alone; empty: of all that are the friend's. */
export type Fetching = {
  readonly friend: FriendName
  readonly domains: readonly Hostname[]
  readonly secure: boolean
}

/** Ours: wrong passwords of one source in a minute; a secret of any worth outlives that for ages. */
export const WRONG_LOGINS_PER_MINUTE_MAX = 5

/** RFC 1985 §4: `@` means the domain and what is below it, which is the same mail here; `#` names queues, which we have not. */
const ETRN = /^ETRN +@?(?<node>[^ ]+) *$/i
const ATRN = /^ATRN(?: +(?<domains>[^ ]+))? *$/i

export class Waking {
  readonly #options: WakingOptions
  readonly #wrong: MinuteCount

  constructor(options: WakingOptions) {
    this.#options = options
    this.#wrong = new MinuteCount(options.clock)
  }

  turned(fetching: Fetching, socket: Socket): void {
    this.#options.turned(fetching, socket)
  }

  session(listener: ListenerName, address: IpAddress): WakingSession {
    return new WakingSession(this.#options, this.#wrong, { listener, address })
  }
}

type Came = { readonly listener: ListenerName; readonly address: IpAddress }

export type Asked = { readonly kind: "good"; readonly text: string } | { readonly kind: "refused"; readonly why: Fault }
export type Turned = { readonly kind: "turn"; readonly fetching: Fetching }
export type LoggedIn = Exclude<LoginStep, { readonly kind: "claim" }> | { readonly kind: "in" }

/** What one connection has shown of itself. */
export class WakingSession {
  readonly #options: WakingOptions
  readonly #wrong: MinuteCount
  readonly #came: Came
  readonly #wakes: readonly FriendName[]
  #login: Login | undefined
  /** Who logged in, and whether over TLS: what was said before STARTTLS counts no more (RFC 4954 §4). */
  #proved: { readonly friend: FriendName; readonly secure: boolean } | undefined

  constructor(options: WakingOptions, wrong: MinuteCount, came: Came) {
    this.#options = options
    this.#wrong = wrong
    this.#came = came
    this.#wakes = options.wakers(came.address)
  }

  /** What is offered with EHLO; nothing to strangers. */
  keywords(secure: boolean): readonly string[] {
    const etrn = this.#wakes.length > 0 || this.#fetches ? ["ETRN"] : []
    return this.#fetches ? [...etrn, "ATRN", `AUTH ${mechanisms(secure).join(" ")}`] : etrn
  }

  /** Whether the word means anything to this client. */
  knows(verb: "ETRN" | "ATRN" | "AUTH"): boolean {
    return this.#fetches || (verb === "ETRN" && this.#wakes.length > 0)
  }

  async etrn(line: string, secure: boolean): Promise<Asked> {
    const given = ETRN.exec(line)?.groups
    if (!given) return refused("COMMAND_MALFORMED", line)
    const domain = hostname(given["node"] ?? "")
    const friends = [...this.#wakes, ...[this.#friend(secure) ?? []].flat()]
    const friend = domain && friends.find((one) => this.#options.isOf(one, domain))
    if (!friend) return refused("WAKING_REFUSED", line)
    try {
      await this.#options.wake(friend)
      return { kind: "good", text: `Queuing for ${domain} started` }
    } catch (error) {
      return refused("WAKING_FAILED", String(error))
    }
  }

  auth(line: string, secure: boolean): Promise<LoggedIn> {
    if (this.#proved?.secure === secure) return Promise.resolve(refused("COMMAND_MISPLACED", "AUTH again"))
    const challenge = (): string =>
      `<${randomBytes(12).toString("hex")}.${this.#options.clock.now()}@${this.#options.name}>`
    const login = beginLogin(line, mechanisms(secure), challenge)
    if (!(login instanceof Login)) return Promise.resolve({ kind: "refused", why: login })
    this.#login = login
    return this.#step(login.begin(), secure)
  }

  /** The line that answers a challenge. */
  async response(line: string, secure: boolean): Promise<LoggedIn> {
    if (!this.#login) return refused("COMMAND_MISPLACED", "a response to nothing")
    return this.#step(this.#login.respond(line), secure)
  }

  async atrn(line: string, secure: boolean): Promise<Turned | Extract<Asked, { readonly kind: "refused" }>> {
    const friend = this.#friend(secure)
    if (friend === undefined) return refused("LOGIN_MISSING", "ATRN")
    const given = ATRN.exec(line)?.groups
    const names = given?.["domains"]?.split(",") ?? []
    const domains = names.flatMap((name) => hostname(name) ?? [])
    if (!given || domains.length < names.length) return refused("COMMAND_MALFORMED", line)
    const foreign = domains.find((domain) => !this.#options.isOf(friend, domain))
    if (foreign) return refused("FETCHING_REFUSED", `${foreign} is not ${friend}'s`)
    const hindrance = await this.#options.hindrance(friend, secure)
    return hindrance ? { kind: "refused", why: hindrance } : { kind: "turn", fetching: { friend, domains, secure } }
  }

  get #fetches(): boolean {
    return this.#options.isFetchedAt(this.#came.listener)
  }

  #friend(secure: boolean): FriendName | undefined {
    return this.#proved?.secure === secure ? this.#proved.friend : undefined
  }

  async #step(step: LoginStep, secure: boolean): Promise<LoggedIn> {
    if (step.kind === "challenge") return step
    this.#login = undefined
    if (step.kind === "refused") return step
    const source = sourceOf(this.#came.address)
    if (this.#wrong.of(source) >= WRONG_LOGINS_PER_MINUTE_MAX) return refused("LOGIN_TOO_OFTEN", this.#came.address)
    const secret = await this.#options.secretOf(step.name)
    // Who does not exist takes as long.
    const right = step.proves(secret ?? randomBytes(16).toString("hex")) && secret !== undefined
    if (!right) {
      this.#wrong.add(source, WRONG_LOGINS_PER_MINUTE_MAX)
      return refused("LOGIN_WRONG", JSON.stringify(step.name))
    }
    this.#proved = { friend: step.name, secure }
    return { kind: "in" }
  }
}

/** RFC 4954 §4: a password is shown to nobody but over TLS. */
function mechanisms(secure: boolean): readonly Mechanism[] {
  return secure ? ["CRAM-MD5", "PLAIN"] : ["CRAM-MD5"]
}

function refused(code: Fault["code"], detail: string): { readonly kind: "refused"; readonly why: Fault } {
  return { kind: "refused", why: fault(code, detail) }
}
