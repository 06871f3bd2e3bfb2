/** Lines of the protocols that begin in the clear: printable ASCII, ended by CR LF and by nothing else. */
import { NEED_MORE, refused, value, type Parsed } from "../bytes/parsed.ts"
import type { FaultCode } from "../faults/faults.ts"

const CR = 0x0d
const LF = 0x0a
const CRLF_BYTES = 2

/** The first line without its end. Refuses as soon as it cannot become one. `bytesMax` counts CR LF. */
export function readLine(received: Uint8Array, bytesMax: number): Parsed<string, FaultCode> {
  const found = received.findIndex((byte) => byte < 0x20 || byte > 0x7e)
  const textBytes = found < 0 ? received.length : found
  if (textBytes + CRLF_BYTES > bytesMax) return refused("COMMAND_MALFORMED")
  if (found < 0) return NEED_MORE
  if (received[found] === LF) return refused("BARE_LINE_END")
  if (received[found] !== CR) return refused("COMMAND_MALFORMED")
  if (received.length === found + 1) return NEED_MORE
  if (received[found + 1] !== LF) return refused("BARE_LINE_END")
  return value(Buffer.from(received.subarray(0, found)).toString("latin1"), found + CRLF_BYTES)
}
