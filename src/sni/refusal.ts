/** Why a ClientHello is refused: a fault whose kind names the alert that answers it, and what only the log may see. */
import type { ParsedWhole } from "../bytes/parsed.ts"
import type { Fault, FaultCode } from "../faults/faults.ts"

export type HelloRefusal = Fault & {
  readonly code: Extract<
    FaultCode,
    | "NOT_TLS"
    | "HELLO_VERSION"
    | "HELLO_MISFRAMED"
    | "RECORD_TOO_LARGE"
    | "HELLO_TOO_LARGE"
    | "HELLO_MALFORMED"
    | "HELLO_AMBIGUOUS"
    | "NAME_MALFORMED"
  >
}

export type Refused = Extract<ParsedWhole<never, HelloRefusal>, { kind: "refused" }>

export function refuse(code: HelloRefusal["code"], detail: string): Refused {
  return { kind: "refused", why: { code, detail } }
}
