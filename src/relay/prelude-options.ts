/** What the door of a shared port, and each of its visitors, needs from the rest of the relay. */
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { Clock } from "../clock/clock.ts"
import type { FaultCode } from "../faults/faults.ts"
import type { Log } from "../log/log.ts"
import type { Hostname } from "../names/hostname.ts"
import type { Meter } from "../net/meter.ts"
import type { FriendName, ListenerName, Otherwise, Route, StartTls } from "../route/route.ts"
import type { Arrival } from "../smtp/intake/arrival.ts"
import type { ClientHello } from "../sni/client-hello.ts"
import type { HandedOver } from "./passthrough.ts"
import type { PreludeAccounts } from "./prelude-accounts.ts"

export type PreludeOptions = {
  /** The relay's own name. */
  readonly name: Hostname
  readonly routeFor: (listener: ListenerName, serverName: Hostname) => Route | undefined
  /** What becomes of senders that name nobody: `peer` where one friend of this listener allows it. */
  readonly otherwise: (listener: ListenerName) => Otherwise
  /** EHLO keywords to offer besides STARTTLS. */
  readonly offers: (listener: ListenerName) => readonly string[]
  /** Why nobody behind this listener can be reached; told instead of the greeting. `undefined`: somebody can, or it is not known. */
  readonly nobodyHome: (listener: ListenerName) => FaultCode | undefined
  /** The friend's server, brought to where the ClientHello comes next. Rejects with a FaultError. */
  readonly meet: (meeting: Meeting) => Promise<Duplex>
  /** Takes over as the end, in SMTP; the socket's next bytes are what the sender says next. */
  readonly becomeEnd: (socket: Socket, visitor: HandedOver, begun: Begun) => void
  /** Says the text inside TLS that the relay ends, and closes; the socket's next bytes are a ClientHello. */
  readonly turnAway: (socket: Socket, text: string) => void
  /** From accept until the ClientHello is there. */
  readonly deadlineMs: () => number
  readonly idleDeadlineMs: () => number
  readonly accounts: PreludeAccounts
  /** What counts a friend's connections, and may hold them back. */
  readonly meterOf: (friend: FriendName) => Meter | undefined
  readonly clock: Clock
  readonly log: Log
}

/** Who is to be led to whom. */
export type Meeting = {
  readonly protocol: StartTls
  readonly route: Route
  readonly visitor: HandedOver
  readonly hello: ClientHello & { readonly serverName: Hostname }
  /** As the visitor introduced itself before TLS, where its protocol has that. */
  readonly introduced: string | undefined
}

/** How far the dialogue had come, why it ends here, and what to say instead of going on with it. */
export type Begun = Pick<Arrival, "after" | "refusal" | "unnamed">
