/** The answer to a ClientHello that leads nowhere: a fatal alert in plain text (RFC 8446 §6), nothing else. */
import type { TlsAlert } from "../faults/faults.ts"

/** The whole record, ready to be sent before closing. */
export function alertRecord(alert: TlsAlert): Uint8Array {
  return Uint8Array.of(CONTENT_TYPE_ALERT, 3, 3, 0, 2, LEVEL_FATAL, DESCRIPTIONS[alert])
}

const CONTENT_TYPE_ALERT = 21
const LEVEL_FATAL = 2

/** RFC 8446 §6. */
const DESCRIPTIONS: Readonly<Record<TlsAlert, number>> = {
  unexpected_message: 10,
  record_overflow: 22,
  illegal_parameter: 47,
  decode_error: 50,
  protocol_version: 70,
  internal_error: 80,
  unrecognized_name: 112,
}
