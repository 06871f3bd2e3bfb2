/** The server's part of IMAP before TLS, towards a mail reader: enough of RFC 9051 to come to STARTTLS, and no login. */
import { kindOf, type FaultCode } from "../../faults/faults.ts"
import type { Hostname } from "../../names/hostname.ts"
import { readLine } from "../line.ts"
import { sentAway } from "../other-protocol.ts"
import type { Script } from "../player.ts"
import { BEGIN_TLS, GOODBYE, say, type Wishes } from "../prelude.ts"

export class ImapServerPart implements Script<string> {
  readonly part = "server"
  readonly unitsMax = COMMANDS_MAX
  readonly greeting: string

  constructor({ name }: { readonly name: Hostname }) {
    this.greeting = `* OK [${CAPABILITY}] ${name}\r\n`
  }

  read(received: Uint8Array) {
    return readLine(received, COMMAND_LINE_BYTES_MAX)
  }

  heard(line: string): Wishes {
    return sentAway(line, imapFarewell) ?? obey(line)
  }

  farewell(code: FaultCode): string {
    return imapFarewell(code)
  }
}

/** RFC 9051 §6.2.1 and §6.2.3: login is disabled until TLS. What else the server can do it says behind TLS. */
const CAPABILITY = "CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED"
/** Ours: no command before TLS needs more; RFC 2683 §3.2.1.5 has servers read 8,000. */
const COMMAND_LINE_BYTES_MAX = 1000
/** Ours: CAPABILITY and STARTTLS are two. */
const COMMANDS_MAX = 20

/** RFC 9051 §9: a tag is an atom without "+". */
const COMMAND = /^(?<tag>[^ (){%*"\\\]+]+) (?<name>[^ ]+)(?: (?<argument>.*))?$/

function obey(line: string): Wishes {
  const { tag, name, argument } = COMMAND.exec(line)?.groups ?? {}
  if (tag === undefined || name === undefined) return [say("* BAD A tag and a command, please\r\n")]
  const command = name.toUpperCase()
  if (HAVE_NO_ARGUMENT.has(command) && argument !== undefined) return [say(`${tag} BAD No argument, please\r\n`)]
  switch (command) {
    case "CAPABILITY":
      return [say(`* ${CAPABILITY}\r\n${tag} OK Done\r\n`)]
    case "NOOP":
      return [say(`${tag} OK Done\r\n`)]
    case "LOGOUT":
      return [say(`* BYE Goodbye\r\n${tag} OK Done\r\n`), GOODBYE]
    case "STARTTLS":
      return [say(`${tag} OK Begin TLS now\r\n`), BEGIN_TLS]
    case "LOGIN":
    case "AUTHENTICATE":
      return [say(`${tag} NO [PRIVACYREQUIRED] STARTTLS first\r\n`)] // RFC 5530 §3
    default:
      return [say(`${tag} BAD Not before TLS\r\n`)]
  }
}

const HAVE_NO_ARGUMENT = new Set(["CAPABILITY", "NOOP", "LOGOUT", "STARTTLS"])

/** Said instead of the greeting or at any time after it. */
export function imapFarewell(code: FaultCode): string {
  return `* BYE ${kindOf(code).tell}\r\n`
}
