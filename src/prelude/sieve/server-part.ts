/** The server's part of ManageSieve before TLS: enough of RFC 5804 to come to STARTTLS, and no login. */
import { kindOf, type FaultCode } from "../../faults/faults.ts"
import { readLine } from "../line.ts"
import { sentAway } from "../other-protocol.ts"
import type { Script } from "../player.ts"
import { BEGIN_TLS, GOODBYE, say, type Wishes } from "../prelude.ts"

/**
 * RFC 5804 §1.7: these are mandatory, and SASL may be empty where STARTTLS is offered. After TLS the friend's own server
 * lists what it can do without being asked (§2.2).
 */
const CAPABILITIES = `"IMPLEMENTATION" "Waypost"\r\n"SASL" ""\r\n"SIEVE" ""\r\n"STARTTLS"\r\n"VERSION" "1.0"\r\nOK\r\n`

export class SieveServerPart implements Script<string> {
  readonly part = "server"
  readonly unitsMax = COMMANDS_MAX
  readonly greeting = CAPABILITIES

  read(received: Uint8Array) {
    return readLine(received, COMMAND_LINE_BYTES_MAX)
  }

  heard(line: string): Wishes {
    return sentAway(line, sieveFarewell) ?? obey(line)
  }

  farewell(code: FaultCode): string {
    return sieveFarewell(code)
  }
}

/** Ours: no command before TLS needs more. */
const COMMAND_LINE_BYTES_MAX = 1000
/** Ours: STARTTLS is one. */
const COMMANDS_MAX = 20

function obey(line: string): Wishes {
  const [command = ""] = line.toUpperCase().split(" ")
  const isAlone = line.trimEnd().length === command.length
  if (command === "AUTHENTICATE") return [say('NO (ENCRYPT-NEEDED) "STARTTLS first"\r\n')]
  if (!isAlone) return [say('NO "No argument before TLS, please"\r\n')]
  switch (command) {
    case "STARTTLS":
      return [say("OK\r\n"), BEGIN_TLS]
    case "CAPABILITY":
      return [say(CAPABILITIES)]
    case "NOOP":
      return [say("OK\r\n")]
    case "LOGOUT":
      return [say("OK\r\n"), GOODBYE]
    default:
      return [say('NO "Not before TLS"\r\n')]
  }
}

/** Said instead of the greeting or at any time after it. */
export function sieveFarewell(code: FaultCode): string {
  return `BYE "${kindOf(code).tell}"\r\n`
}
