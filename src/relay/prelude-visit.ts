/**
 * One visitor of a port that friends share by STARTTLS: plays the server's part until then, finds the route by the name
 * in the ClientHello, has the friend's server brought to the same point, and splices from the ClientHello's first byte.
 * The machines in src/prelude say what to do; this shell owns the visitor's socket and its deadline.
 *
 * Once STARTTLS was answered nothing can be said in the clear any more, and an alert would make an opportunistic sender
 * come back without TLS. So whoever cannot be carried is told why inside TLS that the relay itself ends, before any
 * envelope or password; the friend's rule may let the relay take the mail there (`otherwise: peer`).
 */
import { randomUUID } from "node:crypto"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { FaultError, kindOf, type FaultCode } from "../faults/faults.ts"
import { endpointText } from "../names/endpoint.ts"
import { splice, type Spliced } from "../net/splice.ts"
import type { Wishes } from "../prelude/prelude.ts"
import { STARTTLS_PROTOCOLS, type VisitorSide } from "../prelude/preludes.ts"
import { routeName, type ListenerName, type Route, type StartTls, type Unnamed } from "../route/route.ts"
import { alertRecord } from "../sni/alert.ts"
import { readClientHello, type ClientHello } from "../sni/client-hello.ts"
import type { HandedOver } from "./passthrough.ts"
import type { Begun, Meeting, PreludeOptions } from "./prelude-options.ts"

type Came = { readonly visitor: HandedOver; readonly protocol: StartTls }

/** Who is being listened to. */
type State =
  | { readonly at: "prelude" }
  | { readonly at: "hello"; readonly received: Uint8Array }
  | { readonly at: "home"; readonly home: Duplex | undefined }
  | { readonly at: "over" }

export class PreludeVisit {
  readonly #socket: Socket
  readonly #came: Came
  readonly #options: PreludeOptions
  readonly #part: VisitorSide
  readonly #forgetDeadline: () => void
  #state: State = { at: "prelude" }

  constructor(socket: Socket, came: Came, options: PreludeOptions) {
    const { name, otherwise, offers, clock, deadlineMs } = options
    const { listener } = came.visitor
    this.#socket = socket
    this.#came = came
    this.#options = options
    const withoutTls = otherwise(listener) === "peer" ? "hand-over" : "refuse"
    const settings = { name, offers: offers(listener), withoutTls, streamId: randomUUID() } as const
    this.#part = STARTTLS_PROTOCOLS[came.protocol].towardsVisitor(settings)
    this.#forgetDeadline = clock.after(deadlineMs(), () => this.#tooLate())
  }

  begin(): void {
    const socket = this.#socket
    socket.on("data", this.#heard)
    socket.on("error", this.#gone)
    socket.on("end", this.#gone)
    socket.on("close", this.#gone)
    this.#obey(this.#part.prelude.begin())
  }

  readonly #heard = (bytes: Buffer): void => {
    if (this.#state.at === "prelude") this.#obey(this.#part.prelude.received(bytes))
    else if (this.#state.at === "hello") this.#readHello(Buffer.concat([this.#state.received, bytes]))
  }

  readonly #gone = (): void => {
    if (this.#state.at === "home") this.#state.home?.destroy()
    else this.#countLeft()
    this.#finish()
    this.#socket.destroy()
  }

  #obey(wishes: Wishes): void {
    for (const wish of wishes) {
      switch (wish.do) {
        case "say":
          this.#socket.write(wish.text)
          break
        case "begin-tls":
          this.#state = { at: "hello", received: new Uint8Array() }
          break
        case "hand-over":
          this.#options.accounts.count(this.#listener, undefined, "without-tls", "peer")
          this.#becomeEnd(wish.replay, { after: "EHLO", unnamed: "without-tls" })
          break
        case "close":
          this.#countLeft()
          this.#finish()
          if (wish.why) this.#tell("refused", wish.why.code, wish.why.detail)
          this.#socket.end()
      }
    }
  }

  #readHello(received: Uint8Array): void {
    const read = readClientHello(received)
    if (read.kind === "need-more") this.#state = { at: "hello", received }
    else if (read.kind === "refused") this.#refuseHello(read.why.code, read.why.detail)
    else this.#route(read.value, received)
  }

  #refuseHello(code: FaultCode, detail: string): void {
    this.#countLeft()
    this.#finish()
    this.#tell("refused", code, detail)
    const { alert } = kindOf(code)
    this.#socket.end(alert ? alertRecord(alert) : "")
  }

  #route(hello: ClientHello, received: Uint8Array): void {
    const serverName = hello.serverName ?? this.#part.asked()
    const route = serverName && this.#options.routeFor(this.#listener, serverName)
    if (route) return void this.#carry(route, { ...hello, serverName }, received)
    const peer = this.#options.otherwise(this.#listener) === "peer"
    const unnamed: Unnamed = serverName ? "unknown-name" : "without-name"
    this.#options.accounts.count(this.#listener, undefined, unnamed, peer ? "peer" : "refused")
    this.#tell("unnamed sender", serverName ? "NAME_UNKNOWN" : "NAME_MISSING", serverName ?? "no name")
    this.#leaveAfterStartTls(received, peer ? { unnamed } : { refusal: "UNNAMED_SENDER" })
  }

  async #carry(route: Route, hello: Meeting["hello"], received: Uint8Array): Promise<void> {
    this.#forgetDeadline() // the friend's server has its own
    this.#socket.pause()
    this.#socket.off("data", this.#heard)
    this.#state = { at: "home", home: undefined }
    try {
      const tooMany = this.#came.visitor.belongsTo(route.friend)
      if (tooMany) throw new FaultError({ code: tooMany, detail: routeName(route) })
      const home = await this.#options.meet({ ...this.#came, route, hello, introduced: this.#part.introduced() })
      if (this.#isOver()) return void home.destroy()
      this.#options.accounts.count(this.#listener, route.friend, "named", "carried")
      this.#finish()
      home.write(received) // as the sender wrote it: the TLS that begins here ends at home
      this.#tell("spliced", undefined, routeName(route))
      const [idleDeadlineMs, meter] = [this.#options.idleDeadlineMs(), this.#options.meterOf(route.friend)]
      const spliced = await splice(this.#socket, home, { idleDeadlineMs, meter })
      this.#tellCarried(route, spliced)
    } catch (error) {
      if (!this.#isOver()) this.#notCarried(route, received, error)
    }
  }

  #notCarried({ friend, carry }: Route, received: Uint8Array, error: unknown): void {
    const { code, detail } =
      error instanceof FaultError ? error.fault : { code: "HOME_AWAY" as const, detail: String(error) }
    this.#tell("refused", code, detail)
    const peer = carry.mode === "dedicated" && carry.otherwise === "peer" && IS_AWAY.has(code)
    this.#options.accounts.count(this.#listener, friend, "home-away", peer ? "peer" : "refused")
    this.#leaveAfterStartTls(received, peer ? { unnamed: "home-away" } : { refusal: code })
  }

  /** The relay is the end of the TLS that begins here: to take mail, or only to say why it does not. */
  #leaveAfterStartTls(received: Uint8Array, begun: Pick<Begun, "refusal" | "unnamed">): void {
    if (this.#came.protocol === "smtp") return this.#becomeEnd(received, { after: "STARTTLS", ...begun })
    this.#finish()
    this.#socket.pause()
    this.#socket.unshift(received)
    const { farewell } = STARTTLS_PROTOCOLS[this.#came.protocol]
    this.#options.turnAway(this.#socket, farewell(begun.refusal ?? "UNNAMED_SENDER", randomUUID()))
  }

  /** The bytes go back into the socket, and somebody else reads them. */
  #becomeEnd(unread: Uint8Array, begun: Begun): void {
    this.#finish()
    this.#socket.pause()
    if (unread.length > 0) this.#socket.unshift(unread)
    this.#options.becomeEnd(this.#socket, this.#came.visitor, begun)
  }

  #tooLate(): void {
    if (this.#state.at === "prelude")
      return this.#obey(this.#part.prelude.end("HELLO_LATE", "the prelude took too long"))
    this.#tell("refused", "HELLO_LATE", `at ${this.#state.at}`)
    this.#gone()
  }

  /** Who went away before it was known whom they meant; a mail without TLS may have been refused. */
  #countLeft(): void {
    const sender = this.#part.wasToldToUseTls() ? "without-tls" : "not-heard"
    this.#options.accounts.count(this.#listener, undefined, sender, sender === "without-tls" ? "refused" : "left")
  }

  #finish(): void {
    this.#state = { at: "over" }
    this.#forgetDeadline()
    this.#socket.off("data", this.#heard).off("error", this.#gone).off("end", this.#gone).off("close", this.#gone)
    this.#socket.on("error", () => {}) // what happens to it now is another's to hear
  }

  #isOver(): boolean {
    return this.#state.at === "over"
  }

  get #listener(): ListenerName {
    return this.#came.visitor.listener
  }

  #tellCarried(route: Route, { how, leftToRightBytes, rightToLeftBytes }: Spliced): void {
    const { listener, remote } = this.#came.visitor
    const moved = { bytesToBackend: leftToRightBytes, bytesToVisitor: rightToLeftBytes, how }
    this.#options.log.info("carried", { listener, route: routeName(route), remote: endpointText(remote), ...moved })
  }

  #tell(event: string, code: FaultCode | undefined, detail: string): void {
    const { listener, remote } = this.#came.visitor
    this.#options.log.info(event, { listener, remote: endpointText(remote), code, detail })
  }
}

/** The friend's server cannot be reached at all, which is what a backup is for; of what it says itself the friend must know. */
const IS_AWAY: ReadonlySet<FaultCode> = new Set([
  "BACKEND_REFUSES",
  "BACKEND_SILENT",
  "BACKEND_UNKNOWN",
  "BOX_AWAY",
  "HOME_AWAY",
])
