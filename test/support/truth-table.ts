/** The rows of the truth table in docs/threat-model.md: for each mode the route and the facts it is judged by, and the chapter that proves it. */
import { ageRecipient } from "../../src/names/age-recipient.ts"
import { hostPattern } from "../../src/names/hostname.ts"
import { ipAddress } from "../../src/names/ip-address.ts"
import { NOTHING_CHECKED, type Facts } from "../../src/policy/facts.ts"
import { judge, judgeDirect, judgeOutgoing } from "../../src/policy/judge.ts"
import { levelWord } from "../../src/policy/verdict-table.ts"
import { POWERS, type Verdict } from "../../src/policy/verdict.ts"
import type { Carry, Match, Otherwise, Protocol, Route } from "../../src/route/route.ts"

export type TruthRow = { readonly title: string; readonly chapter: string; readonly verdict: Verdict }

const ADDRESS = ipAddress("203.0.113.7")
const NAME = hostPattern("alice.example")
const names = NAME ? [NAME] : []

export const OWN_ADDRESS: Match = { by: "address", addresses: ADDRESS ? [ADDRESS] : [] }
export const SNI: Match = { by: "sni", names }
export const STARTTLS_SNI: Match = { by: "starttls-sni", names }
export const HOST: Match = { by: "host", names }
export const RECIPIENT: Match = { by: "recipient", domains: names }

export const PEER_MAIL = peerMail(true)

/** Somebody's recipient: whose key it is, no verdict asks. */
const SEAL = ageRecipient("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p")
export const SEALED_MAIL: Carry = { ...peerMail(true), ...(SEAL && { seal: SEAL }) }

export function peerMail(cutThrough: boolean): Carry {
  const strangers = { greylist: false, blockLists: [] }
  return { mode: "peer", as: "mail", recipients: { kind: "any" }, tls: "opportunistic", cutThrough, ...strangers }
}

export function dedicated(otherwise: Otherwise = "refuse"): Carry {
  return { mode: "dedicated", proxy: "none", otherwise }
}

export function peerWeb(cache: boolean): Carry {
  return { mode: "peer", as: "web", cache }
}

/** One route of Alice's to her box. */
export function route(protocol: Protocol, match: Match, carry: Carry): Route {
  const names = { tls: "https", tcp: "ssh" } as const
  const listener = protocol === "tls" || protocol === "tcp" ? names[protocol] : protocol
  return { friend: "alice", listener, protocol, matches: [match], carry, to: { kind: "box", service: listener } }
}

export function facts(known: Partial<Facts>): Facts {
  return { ...NOTHING_CHECKED, ...known }
}

const MAIL_DEFENDED: Partial<Facts> = {
  dane: true,
  mtaStsEnforce: true,
  caaAccountAndMethod: true,
  zoneSignedAtHome: true,
}

function row(title: string, chapter: string, judged: Route, known: Partial<Facts> = {}): TruthRow {
  return { title, chapter, verdict: judge(judged, facts(known)) }
}

/** Judged, but not in this version: the configuration refuses it (docs/out-of-scope.md). */
export const NOT_YET = "not in this version"

export const TRUTH_ROWS: readonly TruthRow[] = [
  {
    title: "direct",
    chapter: "01-direct",
    verdict: judgeDirect({ friend: "alice", listener: "https", protocol: "tls" }, NOTHING_CHECKED),
  },
  row("dedicated TLS (HTTPS, IMAPS, SMTPS) by address or SNI", "03-two-friends-by-sni", route("tls", SNI, dedicated())),
  row(
    "… with CAA bound to the friend's account, zone signed at home",
    "03-two-friends-by-sni",
    route("tls", SNI, dedicated()),
    {
      caaAccountAndMethod: true,
      zoneSignedAtHome: true,
    },
  ),
  row("… and the operator also holds the domain", "03-two-friends-by-sni", route("tls", SNI, dedicated()), {
    caaAccountAndMethod: true,
    zoneSignedAtHome: true,
    operatorHolds: ["domain"],
  }),
  row("dedicated mail by own address", "02-dedicated-by-address", route("smtp", OWN_ADDRESS, dedicated())),
  row(
    "… with DANE, MTA-STS and CAA as above",
    "07-stripped-starttls",
    route("smtp", OWN_ADDRESS, dedicated()),
    MAIL_DEFENDED,
  ),
  row("dedicated mail by STARTTLS SNI, otherwise: refuse", "11-one-port-25", route("smtp", STARTTLS_SNI, dedicated())),
  row(
    "dedicated mail by STARTTLS SNI, otherwise: peer",
    "11-one-port-25",
    route("smtp", STARTTLS_SNI, dedicated("peer")),
  ),
  row(
    "dedicated IMAP, ManageSieve, XMPP with STARTTLS",
    "14-mailbox-by-starttls",
    route("imap", STARTTLS_SNI, dedicated()),
  ),
  row(
    "… with CAA bound to the friend's account, zone signed at home",
    "14-mailbox-by-starttls",
    route("imap", STARTTLS_SNI, dedicated()),
    { caaAccountAndMethod: true, zoneSignedAtHome: true },
  ),
  row(
    "dedicated, any protocol on an own port or address",
    "02-dedicated-by-address",
    route("tcp", OWN_ADDRESS, dedicated()),
  ),
  row("dedicated plain HTTP on an own address", "02-dedicated-by-address", route("http", OWN_ADDRESS, dedicated())),
  {
    title: "mail sent from the friend's own address",
    chapter: "22-outgoing-mail",
    verdict: judgeOutgoing("alice", NOTHING_CHECKED),
  },
  row("peer mail", "13-cut-through", route("smtp", RECIPIENT, PEER_MAIL)),
  row("peer mail, cut-through: false", "05-peer-mail", route("smtp", RECIPIENT, peerMail(false))),
  row("peer mail, sealed spool", "24-sealed-spool", route("smtp", RECIPIENT, SEALED_MAIL)),
  row("peer web", "06-peer-web", route("http", HOST, peerWeb(false))),
  row("peer web with a shared cache", NOT_YET, route("http", HOST, peerWeb(true))),
]

/** The table as Markdown, as it stands in docs/threat-model.md. */
export function truthTableMarkdown(): string {
  const heading = ["mode", "read", "change", "pose", "keep", "see", "cut", "warnings", "proven by"]
  const rows = TRUTH_ROWS.map(({ title, chapter, verdict }) => [
    title,
    ...POWERS.map((power) => levelWord(verdict.findings[power])),
    verdict.warnings.join(" ") || "-",
    chapter,
  ])
  const table = [heading, ...rows]
  const widths = heading.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`
  const rule = line(widths.map((width) => "-".repeat(width)))
  return [line(heading), rule, ...rows.map(line)].join("\n")
}
