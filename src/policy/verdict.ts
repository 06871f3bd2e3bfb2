/**
 * What a relay's operator could do with one route. A verdict is a value; the sentences that people read are rendered
 * from it in sentences.ts and nowhere else.
 */
import type { FriendName, ListenerName } from "../route/route.ts"

/** The six powers, in the order in which they are shown. */
export const POWERS = ["read", "change", "impersonate", "keep", "metadata", "cut-off"] as const
export type Power = (typeof POWERS)[number]

/** `by-attack`: not by running the relay as configured, but by misusing its place; it leaves evidence or can be prevented. */
export type Level = "no" | "by-attack" | "yes"

export type Finding = {
  readonly power: Power
  readonly level: Level
  /** Why, as a code that sentences.ts has words for. */
  readonly because: Reason
  /** What would prevent or detect it; only for `by-attack`. */
  readonly against: readonly Defence[]
  /** The standard or paper that says so, for instance "RFC 3207 §6". */
  readonly sources: readonly string[]
}

export type Reason =
  | "tls-ends-at-the-box"
  | "relay-is-an-end"
  | "not-encrypted"
  | "carries-any-protocol" // own port or address: what the friend's protocol protects is not known
  | "answers-for-the-name" // a CA that validates over the network would certify the relay's own key
  | "starttls-can-be-stripped"
  | "spooled-in-clear"
  | "spooled-sealed"
  | "nothing-is-stored"
  | "cached"
  | "sees-both-addresses"
  | "carries-every-byte"
  | "no-relay-on-the-way"

export type Defence =
  | "caa-account-and-method" // RFC 8657 in a zone signed at home
  | "certificate-transparency"
  | "self-probe"
  | "dane" // RFC 7672
  | "mta-sts-enforce" // RFC 8461
  | "implicit-tls"
  | "second-relay"
  | "end-to-end-content" // OpenPGP, S/MIME

export type Verdict = {
  readonly friend: FriendName
  readonly listener: ListenerName
  readonly findings: Readonly<Record<Power, Finding>>
  readonly warnings: readonly WarningCode[]
}

/** Stable; each has a page in docs/warnings.md. */
export type WarningCode =
  | "WP101" // relay-reads-mail
  | "WP102" // relay-reads-web
  | "WP103" // relay-keeps-mail-in-clear
  | "WP104" // relay-could-become-the-site
  | "WP105" // relay-could-strip-starttls
  | "WP106" // nothing-is-known-of-the-protocol
  | "WP107" // caching-shows-pages-to-later-visitors
  | "WP108" // one-operator-holds-name-and-relay
