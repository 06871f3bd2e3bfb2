/** The client's part of ManageSieve before TLS, towards a friend's server: hears its capabilities and asks for TLS. */
import type { FaultCode } from "../../faults/faults.ts"
import { readLine } from "../line.ts"
import type { Script } from "../player.ts"
import { BEGIN_TLS, close, say, type Wishes } from "../prelude.ts"

export class SieveClientPart implements Script<string> {
  readonly part = "client"
  readonly unitsMax = LINES_MAX
  readonly greeting = "" // the server's turn
  #awaiting: "capabilities" | "starttls" = "capabilities"
  #offersTls = false

  read(received: Uint8Array) {
    return readLine(received, LINE_BYTES_MAX)
  }

  heard(line: string): Wishes {
    if (/^BYE\b/i.test(line)) return [close("HOME_SAYS_LATER", line)]
    if (/^NO\b/i.test(line)) return [close(this.#awaiting === "starttls" ? "HOME_WITHOUT_TLS" : "HOME_REFUSES", line)]
    if (this.#awaiting === "starttls") return /^OK\b/i.test(line) ? [BEGIN_TLS] : [close("HOME_MALFORMED", line)]
    return /^OK\b/i.test(line) ? this.#startTls() : this.#capability(line)
  }

  farewell(_code: FaultCode): string {
    return "LOGOUT\r\n"
  }

  /** RFC 5804 §1.7: each a quoted name, most with a value behind it. */
  #capability(line: string): Wishes {
    if (!line.startsWith('"')) return [close("HOME_MALFORMED", line)]
    this.#offersTls ||= /^"STARTTLS"$/i.test(line)
    return []
  }

  #startTls(): Wishes {
    if (!this.#offersTls)
      return [say(this.farewell("HOME_WITHOUT_TLS")), close("HOME_WITHOUT_TLS", "STARTTLS not listed")]
    this.#awaiting = "starttls"
    return [say("STARTTLS\r\n")]
  }
}

/** Ours: the SIEVE capability lists extensions; servers have been seen to need 600. */
const LINE_BYTES_MAX = 4096
/** Ours: servers list about ten capabilities. */
const LINES_MAX = 50
