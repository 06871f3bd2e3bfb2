/**
 * The server's part of SMTP before TLS, towards a sender: enough of RFC 5321 to come to STARTTLS (RFC 3207), and no mail.
 * It promises nothing that a friend's server would have to keep: what is said here is forgotten when TLS begins.
 */
import { kindOf, type FaultCode } from "../../faults/faults.ts"
import type { Hostname } from "../../names/hostname.ts"
import { readLine } from "../line.ts"
import { sentAway } from "../other-protocol.ts"
import type { Script } from "../player.ts"
import { BEGIN_TLS, GOODBYE, say, type Wishes } from "../prelude.ts"

export type SmtpServerSettings = {
  /** The relay's own name. */
  readonly name: Hostname
  /** EHLO keywords besides STARTTLS: what every friend's server behind this listener offers, and nothing more. */
  readonly offers: readonly string[]
  /** What becomes of a sender that begins a mail without TLS. */
  readonly withoutTls: "refuse" | "hand-over"
}

export class SmtpServerPart implements Script<string> {
  readonly part = "server"
  readonly unitsMax = COMMANDS_MAX
  readonly greeting: string
  readonly #settings: SmtpServerSettings
  #greeted: Greeted | undefined
  #toldToUseTls = false

  constructor(settings: SmtpServerSettings) {
    this.#settings = settings
    this.greeting = `220 ${settings.name} ESMTP\r\n`
  }

  /** The sender's own name, once it has said EHLO or HELO: what the friend's server is to be told. */
  get senderName(): string | undefined {
    return this.#greeted?.name
  }

  /** It began a mail without TLS and was refused. */
  get wasToldToUseTls(): boolean {
    return this.#toldToUseTls
  }

  read(received: Uint8Array) {
    return readLine(received, COMMAND_LINE_BYTES_MAX)
  }

  heard(line: string): Wishes {
    return sentAway(line, smtpFarewell) ?? this.#obey(line)
  }

  farewell(code: FaultCode): string {
    return smtpFarewell(code)
  }

  #obey(line: string): Wishes {
    const { verb, argument } = parse(line)
    switch (verb) {
      case "EHLO":
      case "HELO":
        return this.#greet(verb, argument)
      case "STARTTLS":
        return this.#startTls(argument)
      case "MAIL":
        return this.#mail(line)
      case "QUIT":
        return argument === "" ? [say("221 2.0.0 Goodbye\r\n"), GOODBYE] : TOO_MUCH
      case "RSET":
        return argument === "" ? reply("250 2.0.0 Nothing to forget") : TOO_MUCH
      case "NOOP":
        return reply("250 2.0.0 Done")
      case "HELP":
        return reply("214 2.0.0 EHLO, then STARTTLS; all else behind TLS")
      case "VRFY":
        // RFC 5321 §3.5.3: 252 where the server cannot or will not say.
        return argument === "" ? reply("501 5.5.4 Whom?") : reply("252 2.5.0 Send a mail and see")
      default:
        return BEHIND_TLS.has(verb) ? TLS_FIRST : reply("500 5.5.2 Unknown command")
    }
  }

  #greet(verb: "EHLO" | "HELO", name: string): Wishes {
    if (!SENDER_NAME.test(name)) return reply("501 5.5.4 A name or an address in brackets, please")
    this.#greeted = { verb, name }
    const keywords = verb === "EHLO" ? [...this.#settings.offers, "STARTTLS"] : []
    const lines = [this.#settings.name, ...keywords]
    return [say(lines.map((text, index) => `250${index === lines.length - 1 ? " " : "-"}${text}\r\n`).join(""))]
  }

  #startTls(argument: string): Wishes {
    // RFC 3207 §4: "501 Syntax error (no parameters allowed)"
    if (argument !== "") return TOO_MUCH
    if (!this.#greeted) return EHLO_FIRST
    return [say("220 2.0.0 Ready to start TLS\r\n"), BEGIN_TLS]
  }

  #mail(line: string): Wishes {
    if (this.#settings.withoutTls === "refuse") {
      this.#toldToUseTls = true
      return TLS_FIRST
    }
    if (!this.#greeted) return EHLO_FIRST
    const replay = `${this.#greeted.verb} ${this.#greeted.name}\r\n${line}\r\n`
    return [{ do: "hand-over", replay: Buffer.from(replay) }]
  }
}

type Greeted = { readonly verb: "EHLO" | "HELO"; readonly name: string }

/** RFC 5321 §4.5.3.1.4, CR LF included. */
const COMMAND_LINE_BYTES_MAX = 512
/** Ours: EHLO and STARTTLS are two. */
const COMMANDS_MAX = 20

/** RFC 5321 §4.1.1.1 wants a domain or an address literal; it is passed on, so it must be one word, and that is all. */
const SENDER_NAME = /^[\x21-\x7e]{1,255}$/

/** RFC 3207 §4: "530 Must issue a STARTTLS command first", to every command but NOOP, EHLO, STARTTLS and QUIT. */
const BEHIND_TLS = new Set(["RCPT", "DATA", "BDAT", "AUTH", "ETRN", "ATRN", "EXPN", "BURL"])

const TOO_MUCH = reply("501 5.5.4 No argument, please")
const EHLO_FIRST = reply("503 5.5.1 EHLO first")
const TLS_FIRST = [say(smtpFarewell("NEEDS_TLS"))]

function parse(line: string): { readonly verb: string; readonly argument: string } {
  const [verb = "", ...words] = line.trimEnd().split(" ")
  return { verb: verb.toUpperCase(), argument: words.join(" ") }
}

function reply(text: string): Wishes {
  return [say(`${text}\r\n`)]
}

/** Said instead of the greeting or at any time after it. */
export function smtpFarewell(code: FaultCode): string {
  const { smtp, tell } = kindOf(code)
  return `${smtp ?? "421 4.3.0"} ${tell}\r\n`
}
