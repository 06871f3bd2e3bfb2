/** How a connection comes to the mail server: from whom, and what was said before. */
import type { FaultCode } from "../../faults/faults.ts"
import type { SocketAddress } from "../../names/endpoint.ts"
import type { ListenerName, Unnamed } from "../../route/route.ts"

/** Where a connection came in. `remote` is the true client, which a PROXY header may have named. */
export type Arrival = {
  readonly listener: ListenerName
  readonly remote: SocketAddress
  readonly local: SocketAddress
  /**
   * What was already said and answered in our name, when the connection was first meant to be carried end to end.
   * `EHLO`: the greeting; the first command that is read is that EHLO or HELO, and is not answered again. `STARTTLS`: all
   * up to 220; the next byte is TLS. Not given: nothing.
   */
  readonly after?: "EHLO" | "STARTTLS"
  /** Say only this, once TLS has begun, and close: the session has no future, and its client is to know why. */
  readonly refusal?: FaultCode | undefined
  /** Why it was not carried; not given: it was meant to end here. */
  readonly unnamed?: Unnamed | undefined
}
