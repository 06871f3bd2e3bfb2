/**
 * What a relay's operator could do with one route. A verdict is a value; the sentences that people read are rendered
 * from it in sentences.ts and nowhere else.
 */
import type { FriendName, ListenerName, Protocol } from "../route/route.ts"
import type { WarningCode } from "./warnings.ts"

/** The six powers, in the order in which they are shown. */
export const POWERS = ["read", "change", "impersonate", "keep", "metadata", "cut-off"] as const
export type Power = (typeof POWERS)[number]

/** `by-attack`: not by running the relay as configured, but by misusing its place; it leaves evidence or can be prevented. */
export type Level = "no" | "by-attack" | "yes"

/** `some`: only part of what passes, which the reason names. */
export type Extent = "all" | "some"

export type Finding = {
  readonly power: Power
  readonly level: Level
  readonly extent: Extent
  /** Why, as a code that sentences.ts has words for. */
  readonly because: Reason
  /** What would prevent or detect it, and is not known to be in force. */
  readonly against: readonly Defence[]
  /** The standard or paper that says so, for instance "RFC 3207 §6". */
  readonly sources: readonly string[]
}

/** Every reason that a finding can have. */
export const REASONS = [
  "tls-ends-at-the-box",
  "relay-is-an-end",
  "unnamed-senders-end-at-the-relay", // `otherwise: peer`: senders whose TLS names nobody, who use none, or who find the box away
  "not-encrypted",
  "carries-any-protocol", // own port or address: what the friend's protocol protects is not known
  "answers-for-the-name", // a CA that validates over the network would certify the relay's own key
  "certificates-are-bound", // CAA names the friend's own account at one CA, in a zone the operator cannot change
  "operator-holds-the-name", // domain, zone key, or the name server of an unsigned zone
  "operator-holds-the-tls-key",
  "starttls-can-be-stripped",
  "starttls-is-optional", // own address or port: it can be stripped, and mail may come without it anyway
  "far-server-decides-tls", // outgoing mail: what the far server does not offer, or what is hidden of it, is not used
  "own-address-is-at-the-relay", // outgoing mail: the operator can send from there too
  "operator-publishes-the-senders-keys", // outgoing mail: domain, zone key, or the name server of an unsigned zone
  "starttls-is-left-to-the-app", // IMAP, ManageSieve, XMPP: the friend's own programs log in there
  "senders-check-no-certificate",
  "some-senders-check-nothing", // DANE or MTA-STS is published, and not every sender looks
  "spooled-in-clear",
  "spooled-while-away", // cut-through: it passes while its sender waits, and is kept where the friend's server is away
  "spooled-sealed",
  "nothing-is-stored",
  "readable-so-copyable", // the relay stores nothing, but whoever reads can write down
  "cached",
  "sees-both-addresses",
  "sees-addresses-not-the-name", // ECH, its key at the box
  "carries-every-byte",
  "no-relay-on-the-way",
] as const
export type Reason = (typeof REASONS)[number]

/** Everything that prevents or detects the misuse of a power. */
export const DEFENCES = [
  "caa-account-and-method", // RFC 8657 in a zone signed at home
  "certificate-transparency",
  "self-probe",
  "dane", // RFC 7672
  "mta-sts-enforce", // RFC 8461
  "implicit-tls", // RFC 8314
  "end-to-end-protocol", // SSH, TLS: what an own port carries brings its own protection
  "dedicated-route", // the same service carried end to end
  "second-relay",
  "insist-on-tls", // RFC 7672, RFC 8461: as a sender
  "sign-without-spf", // RFC 6376 with a key at home, and the address not in SPF (RFC 7208)
  "end-to-end-content", // OpenPGP, S/MIME
  "own-name", // a domain, a zone key and a name server that the operator does not hold
] as const
export type Defence = (typeof DEFENCES)[number]

export type Mode = "direct" | "dedicated" | "peer mail" | "peer web" | "outgoing"

export type Findings = Readonly<Record<Power, Finding>>

/** Plain data all through: what JSON makes of it is its `--json` form. */
export type Verdict = {
  readonly friend: FriendName
  readonly listener: ListenerName
  readonly protocol: Protocol
  readonly mode: Mode
  readonly findings: Findings
  readonly warnings: readonly WarningCode[]
}
