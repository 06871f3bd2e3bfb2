/**
 * The one description of a route: what matches, how it is carried, where it goes. The router walks this value, the
 * policy judges the same value, and CLI, lab and documentation print it. There is no second description.
 */
import type { Endpoint } from "../names/endpoint.ts"
import type { Hostname, HostPattern } from "../names/hostname.ts"
import type { AgeRecipient } from "../names/age-recipient.ts"
import type { Cidr, IpAddress } from "../names/ip-address.ts"

/** A friend's name in the configuration: also what limits, quotas and logs are kept by. */
export type FriendName = string
/** A listener's name in the configuration. A friend's routes are keyed by it. */
export type ListenerName = string

export type Route = {
  readonly friend: FriendName
  readonly listener: ListenerName
  /** What the listener speaks. It decides which matches are possible. */
  readonly protocol: Protocol
  /** Any one of these leads here. A friend's own address goes before every name. */
  readonly matches: readonly Match[]
  readonly carry: Carry
  readonly to: Backend
}

/** `tls`: TLS from the first byte. `tcp`: anything, found by address or port alone. `tunnel`: boxes attach here. */
export type Protocol = StartTls | "tls" | "http" | "tcp" | "tunnel"

/** Protocols that begin in the clear and come to TLS by asking for it. */
export type StartTls = "smtp" | "imap" | "managesieve" | "xmpp"

export type Match =
  | { readonly by: "address"; readonly addresses: readonly IpAddress[] }
  | { readonly by: "port" } // the whole listener is this friend's
  | { readonly by: "sni"; readonly names: readonly HostPattern[] }
  | { readonly by: "starttls-sni"; readonly names: readonly HostPattern[] }
  | { readonly by: "host"; readonly names: readonly HostPattern[] }
  | { readonly by: "recipient"; readonly domains: readonly HostPattern[] }

/** How a route carries. `dedicated`: bytes pass end to end. `peer`: the relay itself is an end. */
export type Carry =
  | {
      readonly mode: "dedicated"
      readonly proxy: ToldBy
      readonly otherwise: Otherwise
      /** Of mail that ends at the relay by `otherwise`: as in peer mode, the friend's server is told who handed it in. */
      readonly xclient?: boolean
      /** Who arrives at the friend's own address is led by the kernel's nftables; without it this program carries all. */
      readonly engine?: "kernel"
    }
  | {
      readonly mode: "peer"
      readonly as: "mail"
      readonly recipients: Recipients
      readonly tls: NextHopTls
      /** Mail is kept only while the friend's server is away; else it passes through while its sender waits. */
      readonly cutThrough: boolean
      /** The friend's server is told who handed a message in, and must take it (XCLIENT). */
      readonly xclient?: boolean
      /** Who a message is from is found out when it comes, and told to the friend's server in its header (RFC 8601). */
      readonly authenticate?: boolean
      /** What is kept is encrypted to this age recipient, whose key is at the friend's box. */
      readonly seal?: AgeRecipient
      /** Mail that is to be kept is taken from strangers at their second try. */
      readonly greylist: boolean
      /** DNS block lists whose addresses are refused. */
      readonly blockLists: readonly Hostname[]
    }
  | { readonly mode: "peer"; readonly as: "web"; readonly cache: boolean }

/** The PROXY header that the backend is sent before anything else. */
export type ProxyOut = "none" | "v1" | "v2"

/** How the backend learns who the visitor is. `xclient`: by that SMTP command, before STARTTLS. */
export type ToldBy = ProxyOut | "xclient"

/** Mail senders that cannot be routed end to end (no STARTTLS, no usable name). */
export type Otherwise = "refuse" | "peer"

/** Why a sender ends at the relay by `otherwise`. `home-away`: it named a friend whose server could not be reached. */
export type Unnamed = "without-tls" | "without-name" | "unknown-name" | "home-away"

/** Who may be written to at the friend's domains. `postmaster` and `abuse` are always accepted (RFC 5321 §4.5.1, RFC 2142). */
export type Recipients =
  | { readonly kind: "any" }
  | { readonly kind: "listed"; readonly localParts: ReadonlySet<string> } // lower case
  /** Keyed hashes that the friend pushes: the relay does not have the addresses. The file, absolute. */
  | { readonly kind: "hashed"; readonly file: string }
  /** The friend's server is asked while the sender waits, and taken at its word for a while. */
  | { readonly kind: "asked" }

/**
 * TLS towards the friend's own mail server. `opportunistic`: where offered, whoever it is. `encrypt`: always, whoever it
 * is. `verify`: a certificate of a trusted authority for the name. `published`: what the domain says itself, by DANE or
 * else MTA-STS. `dane-only`: no mail without DANE. Pinned: nobody else's key.
 */
export type NextHopTls = "opportunistic" | "encrypt" | "verify" | "published" | "dane-only" | PinnedKeys

/** SHA-256 of the server's SubjectPublicKeyInfo, in hexadecimal, as in a TLSA record 3 1 1. Any one of them. */
export type PinnedKeys = { readonly spkiSha256: readonly [string, ...string[]] }

/** Whether no mail can leave on it but over TLS with the friend's own server: what REQUIRETLS needs (RFC 8689 §4.2.1). */
export function isHeldToTls({ carry, to }: Route): boolean {
  if (carry.mode !== "peer" || carry.as !== "mail") return false
  if (typeof carry.tls !== "string") return true
  // Behind a box's tunnel names are not asked for: what runs there may be plain.
  return to.kind === "tcp" && (carry.tls === "verify" || carry.tls === "dane-only")
}

/** Whom what is kept of its mail is sealed to. */
export function sealedTo({ carry }: Pick<Route, "carry">): AgeRecipient | undefined {
  return carry.mode === "peer" && carry.as === "mail" ? carry.seal : undefined
}

/** As it stands in the configuration. */
export function nextHopTlsText(tls: NextHopTls): string {
  return typeof tls === "string" ? tls : `pin:${tls.spkiSha256.map((digest) => `sha256:${digest}`).join(",")}`
}

export type Backend =
  | { readonly kind: "tcp"; readonly to: readonly [Endpoint, ...Endpoint[]] } // tried in this order
  | { readonly kind: "box"; readonly service: string } // the service there has the listener's name unless said otherwise

/** What a friend asked the relay to refuse to break. `sealed`: no route lets the relay read. */
export type Promised = "none" | "sealed"

/** How much of it. */
export type OutgoingMail = { readonly connectionsMax: number; readonly connectionsPerHourMax: number }

/** Where outgoing mail stands among a friend's routes: in verdicts, logs and tables. No listener has this name. */
export const OUTGOING_MAIL = "outgoing-mail"

/** Somebody the relay carries for. */
export type Friend = {
  readonly name: FriendName
  readonly promise: Promised
  readonly domains: readonly HostPattern[]
  /** Names that were another friend's a short while ago, who has agreed. */
  readonly takesOver: readonly HostPattern[]
  readonly addresses: readonly IpAddress[]
  /** Of all dedicated connections together, both directions; `undefined`: as fast as it goes. */
  readonly bytesPerSecondMax: number | undefined
  /** Where he is told what waits for him; `undefined`: nowhere. */
  readonly notesTo: string | undefined
  /** From where his mail server may ask for his mail (ETRN). */
  readonly wakeFrom: readonly Cidr[]
  /** What his mail server proves itself by when it fetches (ATRN): a file, absolute. */
  readonly odmrSecretFile: string | undefined
  /** Their box may open connections to mail servers outside, from their own addresses; `undefined`: it may not. */
  readonly outgoingMail: OutgoingMail | undefined
  readonly routes: readonly Route[]
}

/** TLS from the first byte, which a relay only passes on: on its way to a box it needs no second encryption. */
export function endsTlsAtTheBox({ protocol, carry }: Pick<Route, "protocol" | "carry">): boolean {
  return protocol === "tls" && carry.mode === "dedicated"
}

/** A route's name in logs, tables and faults: `alice/https`. */
export function routeName(route: Pick<Route, "friend" | "listener">): string {
  return `${route.friend}/${route.listener}`
}
