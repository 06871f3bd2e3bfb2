/** The client's part of IMAP before TLS, towards a friend's server: waits for its greeting and asks for TLS. */
import type { FaultCode } from "../../faults/faults.ts"
import { readLine } from "../line.ts"
import type { Script } from "../player.ts"
import { BEGIN_TLS, close, say, type Wishes } from "../prelude.ts"

export class ImapClientPart implements Script<string> {
  readonly part = "client"
  readonly unitsMax = LINES_MAX
  readonly greeting = "" // the server's turn
  #awaiting: "greeting" | "starttls" = "greeting"

  read(received: Uint8Array) {
    return readLine(received, RESPONSE_LINE_BYTES_MAX)
  }

  heard(line: string): Wishes {
    return this.#awaiting === "greeting" ? this.#greeted(line) : startedTls(line)
  }

  farewell(_code: FaultCode): string {
    return "w LOGOUT\r\n"
  }

  /** RFC 9051 §7.1: OK, PREAUTH (too late for TLS, §6.2.1) or BYE. */
  #greeted(line: string): Wishes {
    if (/^\* BYE\b/i.test(line)) return [close("HOME_SAYS_LATER", line)]
    if (/^\* PREAUTH\b/i.test(line)) return [close("HOME_WITHOUT_TLS", line)]
    if (!/^\* OK\b/i.test(line)) return [close("HOME_MALFORMED", line)]
    this.#awaiting = "starttls"
    return [say("w STARTTLS\r\n")]
  }
}

function startedTls(line: string): Wishes {
  if (line.startsWith("* ")) return [] // an untagged response may come at any time (RFC 9051 §2.2.2)
  return /^w OK\b/i.test(line) ? [BEGIN_TLS] : [close("HOME_WITHOUT_TLS", line)]
}

/** Ours: greetings may list every capability; servers have been seen to need 700. */
const RESPONSE_LINE_BYTES_MAX = 4096
/** Ours: a greeting and an answer are two. */
const LINES_MAX = 20
