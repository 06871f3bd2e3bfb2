/** What `waypost join` tells the owner: what is served, what to publish in DNS, and who will be able to read what. */
import type { RelayShows } from "../box/accept-verdicts.ts"
import type { AgeRecipient } from "../names/age-recipient.ts"
import { hostname } from "../names/hostname.ts"
import { mailHosts } from "../relay/mail-records.ts"
import { coloured, type Mood } from "./terminal.ts"

export type Joined = {
  readonly file: string
  readonly shows: RelayShows
  readonly services: readonly string[]
  /** Whom kept mail can be sealed to. */
  readonly sealTo: AgeRecipient
}

const LEVELS = {
  no: { mood: "good", words: "cannot read it" },
  "by-attack": { mood: "careful", words: "cannot read it without an attack" },
  yes: { mood: "bad", words: "can read it" },
} as const satisfies Record<string, { mood: Mood; words: string }>

export function joinedText({ file, shows, services, sealTo }: Joined): string {
  return [
    `${coloured("title", `Joined ${shows.relay}.`)} Written to ${file}.`,
    "",
    services.length > 0
      ? `Served through it: ${services.join(", ")}.`
      : `Nothing is served yet: add lines under "services" in ${file}.`,
    "",
    "Publish these, then visitors come through the relay:",
    ...dnsRecords(shows).map((record) => `  ${record}`),
    "",
    ...(shows.verdicts.some(({ mode }) => mode === "peer mail") ? [...sealing(sealTo), ""] : []),
    `Who will be able to read what passes through ${shows.relay}:`,
    ...shows.verdicts.map(({ listener, mode, findings: { read } }) => {
      const { mood, words } = LEVELS[read.level]
      return `  ${listener} (${mode}): the relay's operator ${coloured(mood, words)}`
    }),
    '"waypost explain WP101" and its neighbours say more.',
  ].join("\n")
}

function sealing(sealTo: AgeRecipient): readonly string[] {
  return [
    "Mail that the relay keeps can be encrypted to this box: ask its operator to add to your mail route",
    `  seal: ${sealTo}`,
  ]
}

/** One for the web and one for mail, for each domain that the relay carries. */
function dnsRecords({ relay, domains, verdicts }: RelayShows): readonly string[] {
  const mail = verdicts.find(({ listener }) => listener.startsWith("smtp"))
  const names = domains.filter((domain) => !domain.startsWith("*."))
  return domains.length === 0
    ? ["(the relay carries no domain for you, only addresses or ports)"]
    : [
        ...domains.map(
          (domain) =>
            `${domain}.  the addresses of ${relay} (A and AAAA${isApex(domain, names) ? "" : `, or CNAME ${relay}.`})`,
        ),
        ...(mail ? mailExchanges(mail.mode, names, relay) : []),
      ]
}

/** Senders ask for the host that MX names: end to end that is the friend's own, whose key they are shown. */
function mailExchanges(mode: string, names: readonly string[], relay: string): readonly string[] {
  if (mode !== "dedicated") return names.map((domain) => `${domain}.  MX 10 ${relay}.`)
  return mailHosts(names.flatMap((name) => hostname(name) ?? [])).map(
    ({ domain, host }) => `${domain}.  MX 10 ${host}.`,
  )
}

/** A zone's own name cannot be an alias (RFC 1034 §3.6.2); of a wildcard and its parent, the parent is the zone. */
function isApex(domain: string, names: readonly string[]): boolean {
  return names.includes(domain)
}
