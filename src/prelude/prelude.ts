/**
 * What is spoken in the clear before TLS begins, for protocols in which the server speaks first and the name to route by
 * appears only in the ClientHello behind STARTTLS. A relay plays two parts, one after the other: the server's towards
 * the visitor, then the visitor's towards the server that was found. Each part is a machine that is told what arrived
 * and says what it wants; it owns no socket and no clock, reads no ClientHello and ends no TLS.
 */
import type { Fault, FaultCode } from "../faults/faults.ts"

export interface Prelude {
  /** What to do when the connection is there. Called once, before anything else. */
  begin(): Wishes
  /** What to do about bytes that arrived. After `begin-tls`, `hand-over` or `close` there is nothing more to do. */
  received(bytes: Uint8Array): Wishes
  /** The prelude is to end for a reason from outside it: a deadline, a limit, a stop. Says so where it can. */
  end(code: FaultCode, detail: string): Wishes
}

/** To be done in this order. Only the last may be another than `say`. */
export type Wishes = readonly Wish[]

export type Wish =
  | { readonly do: "say"; readonly text: string }
  /** The clear part is over; the next byte, in either direction, is TLS. */
  | { readonly do: "begin-tls" }
  /** The visitor goes on without TLS: a server that reads `replay` first can take over, and must greet nobody again. */
  | { readonly do: "hand-over"; readonly replay: Uint8Array }
  /** When everything said has been sent. Without a fault the other end has taken its leave. */
  | { readonly do: "close"; readonly why: Fault | undefined }

export function say(text: string): Wish {
  return { do: "say", text }
}

export const BEGIN_TLS: Wish = { do: "begin-tls" }

export function close(code: FaultCode, detail: string): Wish {
  return { do: "close", why: { code, detail } }
}

export const GOODBYE: Wish = { do: "close", why: undefined }
