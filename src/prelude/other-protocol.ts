/**
 * What has come to the wrong port, or tries to pass a browser's request or a forged PROXY header off as something else.
 * It is sent away at its first line, lest the rest be taken for commands; Postfix does the same to browsers
 * (smtpd_forbidden_commands). Binary protocols are no lines and need no list.
 */
import type { FaultCode } from "../faults/faults.ts"
import { close, say, type Wishes } from "./prelude.ts"

const OTHER_PROTOCOL = /^(?:(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|TRACE|PATCH|PRI) .*HTTP\/|PROXY |SSH-)/i

/** How such a line is answered; `undefined` if it is none. */
export function sentAway(line: string, farewell: (code: FaultCode) => string): Wishes | undefined {
  if (!OTHER_PROTOCOL.test(line)) return undefined
  return [say(farewell("OTHER_PROTOCOL")), close("OTHER_PROTOCOL", line)]
}
