/** Finds the next command in what a client has sent. Only CRLF ends a command; that a bare LF does too is how smuggling starts. */
import { isUtf8 } from "node:buffer"
import { NEED_MORE, refused, value, type Parsed } from "../../bytes/parsed.ts"
import type { FaultCode } from "../../faults/faults.ts"

/**
 * Ours: RFC 5321 §4.5.3.1.4 gives a command 512 octets, and the extensions we offer add about 700 (RFC 3461 §4.2: ORCPT
 * alone 500). As Postfix (line_length_limit).
 */
export const COMMAND_LINE_BYTES_MAX = 2048

const CRLF_BYTES = 2
const CR = 0x0d
const LF = 0x0a
/** No control character has a meaning in a command; in replies, logs and Received lines they are dangerous. */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

export function readCommandLine(received: Uint8Array): Parsed<string, FaultCode> {
  const end = received.indexOf(LF)
  if (end < 0) return received.length > COMMAND_LINE_BYTES_MAX ? refused("COMMAND_MALFORMED") : NEED_MORE
  if (received[end - 1] !== CR) return refused("BARE_LINE_END")
  const line = received.subarray(0, end + 1 - CRLF_BYTES)
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString()
  const fits = line.length <= COMMAND_LINE_BYTES_MAX && isUtf8(line) && !CONTROL.test(text)
  return fits ? value(text, end + 1) : refused("COMMAND_MALFORMED")
}
