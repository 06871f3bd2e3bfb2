/** The server_name extension (RFC 6066 §3): one host name, checked before anything compares it. */
import type { Cursor } from "../bytes/cursor.ts"
import type { ParsedWhole } from "../bytes/parsed.ts"
import { hostname, HOSTNAME_CHARS_MAX, type Hostname } from "../names/hostname.ts"
import { ipAddress } from "../names/ip-address.ts"
import { refuse, type HelloRefusal } from "./refusal.ts"

type ServerName = ParsedWhole<Hostname | undefined, HelloRefusal>

/** The only NameType there is; others are skipped by their length, as RFC 6066 §3 prepares. */
const HOST_NAME = 0

export function readServerName(extension: Cursor | undefined): ServerName {
  if (!extension) return NO_NAME
  const list = extension.block(2)
  if (!list || list.leftBytes === 0 || extension.leftBytes > 0)
    return malformed("the server name list's length is wrong")
  const types: number[] = []
  let name: string | undefined
  while (list.leftBytes > 0) {
    const type = list.u8()
    const content = list.block(2)
    if (type === undefined || !content || content.leftBytes === 0) return malformed("a server name's length is wrong")
    // RFC 6066 §3: "The ServerNameList MUST NOT contain more than one name of the same name_type."
    if (types.includes(type)) return refuse("HELLO_AMBIGUOUS", `two server names of type ${type}`)
    types.push(type) // at most 256 of them
    if (type === HOST_NAME) name = content.restText()
  }
  return name === undefined ? NO_NAME : checked(name)
}

const NO_NAME: ServerName = { kind: "value", value: undefined }

function checked(text: string): ServerName {
  const name = hostname(text)
  if (name) return { kind: "value", value: name }
  // RFC 6066 §3 does not permit literal addresses, yet mail senders and old clients send them. They name nobody, and
  // nobody can be meant by mistake, so they are treated like clients that send no name.
  return ipAddress(text) ? NO_NAME : refuse("NAME_MALFORMED", JSON.stringify(text.slice(0, HOSTNAME_CHARS_MAX)))
}

function malformed(detail: string) {
  return refuse("HELLO_MALFORMED", detail)
}
