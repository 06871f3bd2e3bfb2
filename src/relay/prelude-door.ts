/**
 * One port for many friends whose protocol begins in the clear: plays the server's part until STARTTLS, finds the route
 * by the name in the ClientHello, plays the visitor's part towards the friend's server, and splices from the
 * ClientHello's first byte. The machines in src/prelude say what to do; this shell owns the sockets and one deadline.
 *
 * Once STARTTLS was answered nothing can be said in the clear any more, and an alert would make an opportunistic sender
 * come back without TLS. So whoever cannot be carried is told why inside TLS that the relay itself ends, before any
 * envelope; the friend's rule may let the relay take the mail there (`otherwise: peer`).
 */
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { Clock } from "../clock/clock.ts"
import { FaultError, kindOf, type FaultCode } from "../faults/faults.ts"
import type { Log } from "../log/log.ts"
import { endpointText } from "../names/endpoint.ts"
import type { Hostname } from "../names/hostname.ts"
import { writeProxyHeader } from "../net/proxy-header/write.ts"
import { splice } from "../net/splice.ts"
import type { Prelude, Wishes } from "../prelude/prelude.ts"
import { STARTTLS_PROTOCOLS } from "../prelude/preludes.ts"
import { routeName, type ListenerName, type Otherwise, type Route } from "../route/route.ts"
import type { Arrival } from "../smtp/intake/arrival.ts"
import { alertRecord } from "../sni/alert.ts"
import { readClientHello, type ClientHello } from "../sni/client-hello.ts"
import type { HandedOver } from "./passthrough.ts"

export type PreludeDoorOptions = {
  /** The relay's own name. */
  readonly name: Hostname
  readonly routeFor: (listener: ListenerName, serverName: Hostname) => Route | undefined
  /** What becomes of senders that name nobody: `peer` where one friend of this listener allows it. */
  readonly otherwise: (listener: ListenerName) => Otherwise
  readonly dial: (route: Route, visitor: HandedOver) => Promise<Duplex>
  /** Takes over as the end; the socket's next bytes are what the sender says next. */
  readonly becomeEnd: (socket: Socket, visitor: HandedOver, begun: Begun) => void
  /** From accept until the friend's server has the ClientHello. */
  readonly deadlineMs: () => number
  readonly idleDeadlineMs: () => number
  readonly clock: Clock
  readonly log: Log
}

/** How far the dialogue had come, and what to say instead of going on with it. */
export type Begun = Pick<Arrival, "after" | "refusal">

export type PreludeDoor = { accept(socket: Socket, visitor: HandedOver): void }

export function preludeDoor(options: PreludeDoorOptions): PreludeDoor {
  return { accept: (socket, visitor) => new PreludeVisit(socket, visitor, options).begin() }
}

/** Who is being listened to. */
type State =
  | { readonly at: "prelude" }
  | { readonly at: "hello"; readonly received: Uint8Array }
  | { readonly at: "home"; readonly home: Duplex | undefined }
  | { readonly at: "over" }

class PreludeVisit {
  readonly #socket: Socket
  readonly #visitor: HandedOver
  readonly #options: PreludeDoorOptions
  readonly #part: ReturnType<typeof STARTTLS_PROTOCOLS.smtp.towardsVisitor>
  readonly #forgetDeadline: () => void
  #state: State = { at: "prelude" }

  constructor(socket: Socket, visitor: HandedOver, options: PreludeDoorOptions) {
    const { name, otherwise, clock, deadlineMs } = options
    this.#socket = socket
    this.#visitor = visitor
    this.#options = options
    const withoutTls = otherwise(visitor.listener) === "peer" ? "hand-over" : "refuse"
    this.#part = STARTTLS_PROTOCOLS.smtp.towardsVisitor({ name, offers: [], withoutTls, streamId: "" })
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
          this.#becomeEnd(wish.replay, { after: "EHLO" })
          break
        case "close":
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
    this.#finish()
    this.#tell("refused", code, detail)
    const { alert } = kindOf(code)
    this.#socket.end(alert ? alertRecord(alert) : "")
  }

  #route({ serverName }: ClientHello, received: Uint8Array): void {
    const { routeFor, otherwise } = this.#options
    const route = serverName && routeFor(this.#visitor.listener, serverName)
    if (route) return void this.#carry(route, serverName, received)
    const code = serverName ? "NAME_UNKNOWN" : "NAME_MISSING"
    this.#tell("unnamed sender", code, serverName ?? "no name")
    const refusal = otherwise(this.#visitor.listener) === "peer" ? undefined : "UNNAMED_SENDER"
    this.#becomeEnd(received, { after: "STARTTLS", refusal })
  }

  async #carry(route: Route, serverName: Hostname, received: Uint8Array): Promise<void> {
    this.#socket.pause()
    this.#socket.off("data", this.#heard)
    this.#state = { at: "home", home: undefined }
    try {
      const home = await this.#options.dial(route, this.#visitor)
      if (this.#isOver()) return void home.destroy()
      this.#state = { at: "home", home }
      const { remote, local } = this.#visitor
      if (route.carry.mode === "dedicated" && route.carry.proxy !== "none") {
        home.write(writeProxyHeader(route.carry.proxy, { remote, local, serverName }))
      }
      const part = STARTTLS_PROTOCOLS.smtp.towardsHome({
        introduced: this.#part.introduced(),
        serverName,
        xclient: undefined,
      })
      await playTo(home, part)
      if (this.#isOver()) return
      this.#finish()
      home.write(received) // as the sender wrote it: the TLS that begins here ends at home
      this.#tell("spliced", undefined, routeName(route))
      await splice(this.#socket, home, { idleDeadlineMs: this.#options.idleDeadlineMs() })
    } catch (error) {
      if (this.#isOver()) return
      const { code, detail } =
        error instanceof FaultError ? error.fault : { code: "HOME_AWAY" as const, detail: String(error) }
      this.#tell("refused", code, detail)
      this.#becomeEnd(received, {
        after: "STARTTLS",
        refusal: kindOf(code).smtp?.startsWith("4") ? code : "HOME_AWAY",
      })
    }
  }

  /** The relay is the end from here on: the bytes go back into the socket, and somebody else reads them. */
  #becomeEnd(unread: Uint8Array, begun: Begun): void {
    this.#finish()
    this.#socket.pause()
    if (unread.length > 0) this.#socket.unshift(unread)
    this.#options.becomeEnd(this.#socket, this.#visitor, begun)
  }

  #tooLate(): void {
    if (this.#state.at === "prelude")
      return this.#obey(this.#part.prelude.end("HELLO_LATE", "the prelude took too long"))
    this.#tell("refused", "HELLO_LATE", `at ${this.#state.at}`)
    this.#gone()
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

  #tell(event: string, code: FaultCode | undefined, detail: string): void {
    const { listener, remote } = this.#visitor
    this.#options.log.info(event, { listener, remote: endpointText(remote), code, detail })
  }
}

/** Plays the visitor's part until TLS may begin. Rejects with a `FaultError` of the machine, or when the server hangs up. */
function playTo(home: Duplex, part: Prelude): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      home.off("data", heard).off("close", hungUp).off("end", hungUp).off("error", hungUp)
      home.pause()
      settle()
    }
    const hungUp = () => done(() => reject(new FaultError({ code: "HOME_AWAY", detail: "it hung up before TLS" })))
    const obey = (wishes: Wishes) => {
      for (const wish of wishes) {
        if (wish.do === "say") home.write(wish.text)
        else if (wish.do === "begin-tls") done(resolve)
        else if (wish.do === "close") {
          const why = wish.why ?? { code: "HOME_AWAY" as const, detail: "it took its leave" }
          done(() => reject(new FaultError(why)))
          home.destroy()
        }
      }
    }
    const heard = (bytes: Buffer) => obey(part.received(bytes))
    home.on("data", heard).on("close", hungUp).on("end", hungUp).on("error", hungUp)
    obey(part.begin())
  })
}
