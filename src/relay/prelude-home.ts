/**
 * Towards a friend's server on the visitor's behalf: dials it, tells it who the visitor is, and plays the visitor's part
 * until TLS may begin. What is said there in the clear is the visitor's own introduction and nothing else.
 */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { Clock } from "../clock/clock.ts"
import { fault, FaultError } from "../faults/faults.ts"
import { socketAddress } from "../names/endpoint.ts"
import type { Hostname } from "../names/hostname.ts"
import { writeProxyHeader, type Proxied } from "../net/proxy-header/write.ts"
import { Player } from "../prelude/player.ts"
import type { Prelude } from "../prelude/prelude.ts"
import { STARTTLS_PROTOCOLS } from "../prelude/preludes.ts"
import { SmtpClientPart } from "../prelude/smtp/client-part.ts"
import type { Route, ToldBy } from "../route/route.ts"
import type { Meeting } from "./prelude-options.ts"
import { FROM_THE_RELAY, type Caller } from "./reach.ts"

export type HomeOptions = {
  readonly dial: (route: Route, caller: Caller) => Promise<Duplex>
  /** From when it accepts until TLS may begin. */
  readonly deadlineMs: () => number
  /** What its EHLO offered, once TLS may begin; of protocols that offer nothing before TLS, nothing. */
  readonly heard: (route: Route, offers: readonly string[]) => void
  readonly clock: Clock
}

/** Rejects with a FaultError: of the dial, of the machine, BACKEND_SILENT, or HOME_AWAY when the server hangs up. */
export async function meetHome(meeting: Meeting, options: HomeOptions): Promise<Duplex> {
  const { protocol, route, visitor, hello, introduced } = meeting
  const { remote, local } = visitor
  const { serverName } = hello
  const home = await options.dial(route, { remote, local, hello })
  const xclient = toldBy(route) === "xclient" ? { remote, local } : undefined
  const { prelude, offers } = STARTTLS_PROTOCOLS[protocol].towardsHome({ introduced, serverName, xclient })
  await talk(home, prelude, { route, ends: { remote, local, serverName }, options })
  if (protocol === "smtp") options.heard(route, offers())
  return home
}

/** What a friend's mail server offers before TLS. The relay asks in its own name. Rejects as `meetHome`. */
export async function askHome(route: Route, name: Hostname, options: HomeOptions): Promise<readonly string[]> {
  const home = await options.dial(route, FROM_THE_RELAY)
  const part = new SmtpClientPart({ senderName: name, xclient: undefined, until: "offers" })
  await talk(home, new Player(part), { route, ends: endsOf(home), options })
  home.end()
  return part.offers
}

/** The friend's mail server where TLS comes next, as the relay itself reaches it. Rejects as `meetHome`. */
export async function homeBeforeTls(route: Route, name: Hostname, options: HomeOptions): Promise<Duplex> {
  const home = await options.dial(route, FROM_THE_RELAY)
  const part = new SmtpClientPart({ senderName: name, xclient: undefined })
  await talk(home, new Player(part), { route, ends: endsOf(home), options })
  return home
}

type Talk = { readonly route: Route; readonly ends: Proxied; readonly options: HomeOptions }

async function talk(home: Duplex, prelude: Prelude, { route, ends, options }: Talk): Promise<void> {
  const { clock, deadlineMs } = options
  const told = toldBy(route)
  if (told === "v1" || told === "v2") home.write(writeProxyHeader(told, ends))
  const forget = clock.after(deadlineMs(), () => home.destroy(new FaultError(fault("BACKEND_SILENT", "before TLS"))))
  try {
    await playTo(home, prelude)
  } finally {
    forget()
  }
}

function toldBy({ carry }: Route): ToldBy {
  return carry.mode === "dedicated" ? carry.proxy : "none"
}

/** Of the relay's own connection; a stream to a box has none, and the box tells its service what it was told. */
function endsOf(home: Duplex): Proxied {
  const end = (address = "", port = 0) => socketAddress(`${address.includes(":") ? `[${address}]` : address}:${port}`)
  const { remote, local } = FROM_THE_RELAY
  if (!(home instanceof Socket)) return { remote, local }
  return {
    remote: end(home.localAddress, home.localPort) ?? remote,
    local: end(home.remoteAddress, home.remotePort) ?? local,
  }
}

/** Plays the part until TLS may begin, or leave was taken; then the stream is paused, and nothing of it was read ahead. */
export function playTo(home: Duplex, part: Prelude): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      home.off("data", heard).off("close", hungUp).off("end", hungUp).off("error", broke)
      home.on("error", () => {}) // what happens to it now is another's to hear
      home.pause()
      settle()
    }
    const fail = (error: FaultError) => {
      done(() => reject(error))
      home.destroy()
    }
    const hungUp = () => fail(new FaultError(fault("HOME_AWAY", "it hung up before TLS")))
    const broke = (error: Error) =>
      fail(error instanceof FaultError ? error : new FaultError(fault("HOME_AWAY", error.message)))
    const obey = (wishes: ReturnType<Prelude["begin"]>) => {
      for (const wish of wishes) {
        if (wish.do === "say") home.write(wish.text)
        else if (wish.do === "close" && wish.why) fail(new FaultError(wish.why))
        else done(resolve)
      }
    }
    const heard = (bytes: Buffer) => obey(part.received(bytes))
    home.on("data", heard).on("close", hungUp).on("end", hungUp).on("error", broke)
    obey(part.begin())
  })
}
