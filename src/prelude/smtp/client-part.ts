/**
 * The client's part of SMTP before TLS, towards a friend's server: it repeats what the sender said about itself, so that
 * the server meets the sender and not the relay, and stops where TLS begins.
 */
import type { FaultCode } from "../../faults/faults.ts"
import { readLine } from "../line.ts"
import type { Script } from "../player.ts"
import { BEGIN_TLS, close, GOODBYE, say, type Wishes } from "../prelude.ts"
import { xclientCommand, type XclientFacts } from "./xclient.ts"

export type SmtpClientSettings = {
  /** As the sender gave it in EHLO or HELO. */
  readonly senderName: string
  /** Told by XCLIENT; the server must take it, or the mail would seem to come from the relay. `undefined`: not told. */
  readonly xclient: Omit<XclientFacts, "senderName"> | undefined
  /** `offers`: hear what the server offers and take leave, without beginning TLS. */
  readonly until?: "tls" | "offers"
}

export class SmtpClientPart implements Script<string> {
  readonly part = "client"
  readonly unitsMax = REPLY_LINES_MAX
  readonly greeting = "" // the server's turn
  readonly #settings: SmtpClientSettings
  #awaiting: "greeting" | "ehlo" | "xclient" | "ehlo-after-xclient" | "starttls" = "greeting"
  #reply: ReplySoFar = NOTHING
  #offers: readonly string[] = []

  constructor(settings: SmtpClientSettings) {
    this.#settings = settings
  }

  /** The keywords of the server's EHLO, as it wrote them: what a relay may offer in its name. */
  get offers(): readonly string[] {
    return this.#offers
  }

  read(received: Uint8Array) {
    return readLine(received, REPLY_LINE_BYTES_MAX)
  }

  heard(line: string): Wishes {
    const parts = REPLY_LINE.exec(line)?.groups
    const code = Number(parts?.["code"])
    if (!parts || (this.#reply.code ?? code) !== code) return [close("HOME_MALFORMED", line)]
    const reply = { code, texts: [...this.#reply.texts, parts["text"] ?? ""] }
    const isWhole = parts["more"] !== "-"
    this.#reply = isWhole ? NOTHING : reply
    return isWhole ? this.#answer(reply) : []
  }

  farewell(_code: FaultCode): string {
    return "QUIT\r\n"
  }

  #answer(reply: Reply): Wishes {
    switch (this.#awaiting) {
      case "greeting":
        return reply.code === 220 ? this.#ehlo("ehlo") : this.#leave(reply)
      case "ehlo":
        return reply.code === 250 ? this.#introduced(reply) : this.#leave(reply)
      case "xclient":
        return reply.code === 220 ? this.#ehlo("ehlo-after-xclient") : this.#leave(reply, "HOME_WITHOUT_XCLIENT")
      case "ehlo-after-xclient":
        return reply.code === 250 ? this.#startTls(reply) : this.#leave(reply)
      case "starttls":
        return reply.code === 220 ? [BEGIN_TLS] : this.#leave(reply, "HOME_WITHOUT_TLS")
    }
  }

  #ehlo(next: "ehlo" | "ehlo-after-xclient"): Wishes {
    this.#awaiting = next
    return [say(`EHLO ${this.#settings.senderName}\r\n`)]
  }

  #introduced(reply: Reply): Wishes {
    const { xclient, senderName } = this.#settings
    if (!xclient) return this.#startTls(reply)
    const offered = keywordsOf(reply).find((keyword) => /^XCLIENT /i.test(keyword)) ?? ""
    const command = xclientCommand(offered.split(" ").slice(1), { ...xclient, senderName })
    if (command === undefined) return this.#leave(reply, "HOME_WITHOUT_XCLIENT")
    this.#awaiting = "xclient"
    return [say(command)]
  }

  #startTls(reply: Reply): Wishes {
    this.#offers = keywordsOf(reply)
    if (!this.#offers.some((keyword) => /^STARTTLS$/i.test(keyword))) return this.#leave(reply, "HOME_WITHOUT_TLS")
    if (this.#settings.until === "offers") return [say(this.farewell("STOPPING")), GOODBYE]
    this.#awaiting = "starttls"
    return [say("STARTTLS\r\n")]
  }

  #leave(reply: Reply, code: FaultCode = blameOf(reply)): Wishes {
    const detail = `in answer to ${this.#awaiting}: ${reply.code} ${reply.texts.join(" / ")}`
    return [say(this.farewell(code)), close(code, detail.slice(0, DETAIL_CHARS_MAX))]
  }
}

type Reply = { readonly code: number; readonly texts: readonly string[] }
type ReplySoFar = { readonly code: number | undefined; readonly texts: readonly string[] }
const NOTHING: ReplySoFar = { code: undefined, texts: [] }

/** RFC 5321 §4.2: three digits, and a hyphen where more lines follow. */
const REPLY_LINE = /^(?<code>[2-5][0-9]{2})(?:(?<more>[- ])(?<text>.*))?$/

/** RFC 5321 §4.5.3.1.5, CR LF included. */
const REPLY_LINE_BYTES_MAX = 512
/** Ours: four replies, one of them (EHLO, twice with XCLIENT) with a line for each of about twenty extensions. */
const REPLY_LINES_MAX = 100
/** Ours: enough to recognise a reply in a log. */
const DETAIL_CHARS_MAX = 300

/** RFC 5321 §4.1.1.1: the first line is the server's name and greeting. */
function keywordsOf({ texts }: Reply): readonly string[] {
  return texts.slice(1)
}

function blameOf({ code }: Reply): FaultCode {
  if (code >= 500) return "HOME_REFUSES"
  return code >= 400 ? "HOME_SAYS_LATER" : "HOME_MALFORMED"
}
