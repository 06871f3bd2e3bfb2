/** The XCLIENT command (Postfix XCLIENT_README): who the client in truth is, told to a server that trusts the relay. */
import type { SocketAddress } from "../../names/endpoint.ts"
import type { Hostname } from "../../names/hostname.ts"
import { isIpv6, type IpAddress } from "../../names/ip-address.ts"

export type XclientFacts = {
  readonly remote: SocketAddress
  readonly local: SocketAddress
  readonly senderName: string
  /** The name behind the address, looked up both ways. `undefined`: none is known. */
  readonly remoteName?: Hostname | undefined
}

/** The command with those facts that the server asks for; `undefined` if it does not ask for the address. */
export function xclientCommand(asked: readonly string[], facts: XclientFacts): string | undefined {
  const attributes = asked.map((attribute) => attribute.toUpperCase())
  if (!attributes.includes("ADDR")) return undefined
  const { remote, local, senderName, remoteName } = facts
  const known = [
    ["ADDR", addressText(remote.address)],
    // Left out, the server would keep the name of the relay beside the sender's address.
    ["NAME", remoteName ?? "[UNAVAILABLE]"],
    ["PORT", String(remote.port)],
    ["PROTO", "ESMTP"],
    ["DESTADDR", addressText(local.address)],
    ["DESTPORT", String(local.port)],
    ["HELO", senderName],
  ] as const
  const words = known.filter(([name]) => attributes.includes(name)).map(([name, value]) => `${name}=${xtext(value)}`)
  const command = `XCLIENT ${words.join(" ")}\r\n`
  // HELO is last, and all that can be long. The server hears it in EHLO again.
  return command.length <= COMMAND_LINE_BYTES_MAX ? command : `XCLIENT ${words.slice(0, -1).join(" ")}\r\n`
}

/** RFC 5321 §4.5.3.1.4, CR LF included. */
const COMMAND_LINE_BYTES_MAX = 512

function addressText(address: IpAddress): string {
  return isIpv6(address) ? `IPV6:${address}` : address
}

/** RFC 3461 §4: printable ASCII but + and =; all else as + and two hexadecimal digits. */
function xtext(text: string): string {
  return text.replace(/[^\x21-\x2a\x2c-\x3c\x3e-\x7e]/g, (char) => {
    return `+${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`
  })
}
