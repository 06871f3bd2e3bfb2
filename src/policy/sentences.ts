/**
 * The only place in Waypost that makes claims in words. Every sentence is rendered from a finding; what cannot be
 * derived from a route and the facts about it cannot be said.
 */
import { POWERS, type Defence, type Finding, type Level, type Power, type Reason, type Verdict } from "./verdict.ts"
import type { BrokenPromise } from "./promises.ts"
import type { WarningCode } from "./warnings.ts"
import type { WayHome } from "./way-home.ts"

/** The two people a sentence is about: who runs the relay, and whose traffic it is. */
export type People = { readonly operator: string; readonly owner: string }

/**
 * One sentence for each power, in the order of POWERS: "Bob cannot read Alice's web traffic, because TLS ends at Alice's
 * box." What stands against a power is said once where it is the same for the next.
 */
export function sentencesFor(verdict: Verdict, operator: string, owner: string): readonly string[] {
  const people = { operator, owner }
  let saidAgainst = ""
  return POWERS.map((power) => {
    const finding = verdict.findings[power]
    const against = againstText(finding)
    const said = claim(verdict, finding, people) + (against === saidAgainst ? "" : against)
    saidAgainst = against
    return said
  })
}

/** What the words of a table of verdicts mean. */
export const TABLE_LEGEND =
  "YES: simply so. attack: not by running the relay as configured, but by misusing its place. ~: for some of what passes. " +
  "A defence that was not checked is not assumed."

/** "Alice was promised that no route lets Bob read, but alice/http does: …" */
export function brokenPromiseSentence(broken: BrokenPromise, { operator, owner }: People): string {
  const because = REASON_WORDS[broken.finding.because]({ operator, owner })
  return `${owner} was promised that no route lets ${operator} read, but ${broken.route} does, because ${because}.`
}

/** What a warning says of a route, in one sentence. */
export function warningSentence(code: WarningCode, verdict: Verdict, { operator, owner }: People): string {
  const finding = verdict.findings[WARNED_POWER[code]]
  return claim(verdict, finding, { operator, owner }) + againstText(finding)
}

/** "Whoever is between Bob's relay and Alice's box sees …" */
export function wayHomeSentence(way: WayHome, { operator, owner }: People): string {
  return `Whoever is between ${operator}'s relay and ${owner}'s box ${WAY_WORDS[way]}.`
}

const WAY_WORDS: Readonly<Record<WayHome, string>> = {
  "as-without-a-relay":
    "sees what he would see without a relay: the visitor's address, the server's name, sizes, times, and ciphertext",
  "inside-the-tunnel": "sees sizes and times alone, because it passes inside the tunnel's TLS",
  "as-the-visitor-sent-it":
    "sees it as the visitor sent it: what the visitor's own protocol does not encrypt, he can read",
  "own-tls": "sees sizes and times, because the relay hands it on over TLS or not at all",
  "own-tls-if-offered": "can read it where the next host offers no TLS, or where he hides that it does",
  "in-the-clear": "can read it, because nothing encrypts it there",
}

/** A capital letter for a name that the configuration has in small ones. */
export function personName(friend: string): string {
  return capitalised(friend)
}

function claim(verdict: Verdict, finding: Finding, people: People): string {
  const traffic = finding.extent === "some" ? `some of ${trafficOf(verdict, people)}` : trafficOf(verdict, people)
  const done =
    verdict.mode === "outgoing" && finding.power === "impersonate"
      ? `send mail in ${people.owner}'s name`
      : DEED[finding.power](traffic, people)
  const deed = `${people.operator} ${MODAL[finding.level]} ${done}`
  return capitalised(`${deed}, because ${REASON_WORDS[finding.because](people)}.`)
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

const MODAL: Readonly<Record<Level, string>> = { no: "cannot", "by-attack": "could by an attack", yes: "can" }

const DEED: Readonly<Record<Power, (traffic: string, people: People) => string>> = {
  read: (traffic) => `read ${traffic}`,
  change: (traffic) => `change ${traffic}`,
  impersonate: (traffic, { owner }) =>
    traffic.startsWith("some of ") ? `answer in ${owner}'s place for ${traffic}` : `answer in ${owner}'s place`,
  keep: (traffic) => `keep ${traffic}`,
  metadata: (_, { owner }) => `see who talks with ${owner}, when and how much`,
  "cut-off": (traffic) => `hold back or delay ${traffic}`,
}

/** What passes, in the friend's words. A listener that has the name of a service is taken to carry it. */
function trafficOf({ protocol, listener, mode }: Verdict, { owner }: People): string {
  if (mode === "outgoing") return `the mail that ${owner} sends`
  if (protocol === "smtp" || protocol === "imap") return `${owner}'s mail`
  if (protocol === "managesieve") return `${owner}'s mail filters`
  if (protocol === "xmpp") return `${owner}'s chat`
  if (protocol === "http" || /^(web|https)\b/.test(listener)) return `${owner}'s web traffic`
  if (/^(smtps|submissions?|imaps?|pop3s)\b/.test(listener)) return `${owner}'s mail`
  return `what passes at ${owner}'s ${listener}`
}

type Words = (people: People) => string

const REASON_WORDS: Readonly<Record<Reason, Words>> = {
  "tls-ends-at-the-box": ({ owner }) => `TLS ends at ${owner}'s box`,
  "relay-is-an-end": ({ operator }) => `the connection ends at ${operator}'s relay, which makes another to the box`,
  "unnamed-senders-end-at-the-relay": ({ operator }) =>
    `senders whose TLS names nobody, who use none, or who come while the box is away hand their mail to ${operator}'s relay itself (otherwise: peer)`,
  "not-encrypted": () => "nothing encrypts it",
  "carries-any-protocol": () =>
    "an own port carries any protocol, and the relay does not know whether this one encrypts",
  "answers-for-the-name": ({ operator, owner }) =>
    `${owner}'s name leads to ${operator}'s relay, so a CA that looks there would give ${operator} a certificate for it, and read whoever is led there`,
  "certificates-are-bound": ({ operator, owner }) =>
    `CAA lets only ${owner}'s own account have certificates for the name, in a zone that ${operator} can neither change nor sign`,
  "operator-holds-the-name": ({ operator, owner }) =>
    `${operator} also decides where ${owner}'s name leads, and so gets a certificate for it from any CA and reads whoever is led there`,
  "operator-holds-the-tls-key": ({ operator, owner }) => `${operator} holds the key that ${owner}'s box shows`,
  "starttls-can-be-stripped": ({ operator }) =>
    `${operator} could hide STARTTLS, and a sender who insists on nothing then sends in the clear`,
  "starttls-is-optional": ({ operator }) =>
    `mail from senders without TLS passes in the clear, and ${operator} could hide STARTTLS from the others`,
  "starttls-is-left-to-the-app": ({ operator, owner }) =>
    `${operator} could hide STARTTLS, and a program of ${owner}'s that does not insist on it sends its password in the clear`,
  "far-server-decides-tls": ({ operator, owner }) =>
    `mail to servers without TLS passes in the clear, and ${operator} could hide STARTTLS of the others from a server of ${owner}'s that does not insist on it`,
  "own-address-is-at-the-relay": ({ operator, owner }) =>
    `it leaves from an address at ${operator}'s relay, and what ${operator} sends from there passes for ${owner}'s where SPF names it`,
  "operator-publishes-the-senders-keys": ({ operator, owner }) =>
    `${operator} also decides what ${owner}'s name says in DNS, the keys that sign ${owner}'s mail (DKIM) and the addresses it comes from (SPF) among it`,
  "senders-check-no-certificate": () =>
    "most mail senders take any certificate unless DANE or MTA-STS tells them which",
  "some-senders-check-nothing": () => "not every mail sender looks at what DANE and MTA-STS demand",
  "spooled-in-clear": () => "it waits on the relay's disk as it came",
  "spooled-while-away": ({ owner }) =>
    `it waits on the relay's disk as it came while ${owner}'s server is away, and what is large passes over the disk at other times too`,
  "spooled-sealed": ({ owner }) =>
    `it is encrypted to ${owner}'s box on arrival, and could have been copied before that`,
  "nothing-is-stored": () => "what passes is not stored, and is ciphertext",
  "readable-so-copyable": () => "the relay stores nothing, but what can be read can be written down",
  cached: () => "the shared cache keeps pages to show them again",
  "sees-both-addresses": () => "addresses, times, sizes and the server's name are never hidden from a relay",
  "sees-addresses-not-the-name": () =>
    "addresses, times and sizes are never hidden from a relay; the server's name is (ECH)",
  "carries-every-byte": () => "every byte passes there",
  "no-relay-on-the-way": () => "no relay is on the way",
}

const DEFENCE_WORDS: Readonly<Record<Defence, string>> = {
  "caa-account-and-method": "CAA with accounturi and validationmethods, in a zone signed at home",
  "certificate-transparency": "a watch on certificate transparency logs",
  "self-probe": "probes of the public name from elsewhere, compared with the box's key",
  dane: "DANE (a TLSA record for the MX name)",
  "mta-sts-enforce": "MTA-STS in mode enforce",
  "implicit-tls": "TLS from the first byte",
  "end-to-end-protocol": "a protocol that encrypts end to end, as SSH does",
  "dedicated-route": "a dedicated route",
  "second-relay": "a second relay run by somebody else",
  "insist-on-tls": "a mail server at home that looks at DANE and MTA-STS of those it sends to",
  "sign-without-spf": "DKIM with a key at home, and an SPF record that does not name the address",
  "end-to-end-content": "content encrypted by its sender (OpenPGP, S/MIME)",
  "own-name": "a domain, name server and zone key that he does not hold",
}

function againstText({ against }: Finding): string {
  return against.length === 0 ? "" : ` Against it: ${against.map((defence) => DEFENCE_WORDS[defence]).join("; ")}.`
}

/** Which power a warning is about. */
const WARNED_POWER: Readonly<Record<WarningCode, Power>> = {
  WP101: "read",
  WP102: "read",
  WP103: "keep",
  WP104: "impersonate",
  WP105: "read",
  WP106: "read",
  WP107: "keep",
  WP108: "impersonate",
  WP109: "impersonate",
  WP110: "impersonate",
}
