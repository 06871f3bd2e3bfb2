/** The relay's configuration after it was read and checked: values that cannot lie, and no text of the file. */
import type { SocketAddress } from "../names/endpoint.ts"
import type { Hostname } from "../names/hostname.ts"
import type { Cidr } from "../names/ip-address.ts"
import type { Friend, FriendName, ListenerName, OutgoingMail, Protocol, Route } from "../route/route.ts"

export type Config = {
  readonly relay: RelaySettings
  readonly listeners: readonly Listener[]
  readonly friends: readonly Friend[]
  readonly limits: Limits
}

export type RelaySettings = {
  /** EHLO name, MX name, name in the certificate. */
  readonly name: Hostname
  /** The state folder, absolute; SQLite and keys inside. */
  readonly state: string
  /** Metrics and health; loopback unless said otherwise. `undefined`: off. */
  readonly admin: SocketAddress | undefined
  /** Whether the senders of kept mail that failed are told, who may be forged. `nobody`: it is held for the friend to see. */
  readonly tellSenders: "nobody" | "everybody"
  /** Whom to ask about reports on TLS (RFC 8460); `undefined`: none are sent. */
  readonly tlsReports: string | undefined
  /** `undefined`: those of /etc/resolv.conf. */
  readonly resolver: ResolverSettings | undefined
}

export type ResolverSettings = {
  readonly at: readonly SocketAddress[]
  /** Believed when they say that they validated, though they are not on this machine. */
  readonly trusted: boolean
}

export type Listener = {
  readonly name: ListenerName
  readonly bind: readonly [SocketAddress, ...SocketAddress[]]
  readonly protocol: Protocol
  /** From these peers, and from nobody else, a PROXY header is read; from them it is required. */
  readonly acceptProxy: readonly Cidr[]
  /** Mail: who talks before the greeting, which comes after this, is turned away. 0: it comes at once. */
  readonly greetWaitMs: number
  /** Friends' servers fetch their mail here (RFC 2645). */
  readonly odmr: boolean
  /** The whole listener is this friend's. */
  readonly friend: FriendName | undefined
  /** TLS listeners: the friend who gets connections that name nobody, or somebody unknown. `undefined`: they get an alert. */
  readonly default: FriendName | undefined
}

/** Every limit of the relay that a file may change. */
export type Limits = {
  readonly connectionsMax: number
  readonly connectionsPerSourceMax: number
  readonly connectionsPerFriendMax: number
  readonly helloDeadlineMs: number
  readonly preludeDeadlineMs: number
  readonly connectDeadlineMs: number
  readonly idleDeadlineMs: number
  readonly drainDeadlineMs: number
  readonly handOverDeadlineMs: number
  readonly messageBytesMax: number
  readonly spoolPerFriendBytesMax: number
  readonly messagesPerFriendMax: number
  readonly deliveriesPerFriendMax: number
  readonly mailLifetimeMs: number
  readonly connectionsPerSourcePerMinuteMax: number
  readonly mailsPerSourcePerMinuteMax: number
  readonly mailsPerFriendPerMinuteMax: number
}

export const DEFAULT_LIMITS: Limits = {
  /** Ours: with 20,000 descriptors, two for each connection, this leaves room for files and new listeners. */
  connectionsMax: 9_000,
  /** Ours: many times what a browser or a mail sender opens. */
  connectionsPerSourceMax: 200,
  connectionsPerFriendMax: 4_000,
  /** Ours: a ClientHello, or a PROXY header with it, in full. One deadline from accept to route. */
  helloDeadlineMs: 10_000,
  /** Ours: three exchanges before TLS, and a sender that is slow on each. An idle one costs about 9 kB. */
  preludeDeadlineMs: 30_000,
  /** Ours: below what browsers and mail senders wait themselves. */
  connectDeadlineMs: 10_000,
  /** RFC 5382 §5 REQ-5: an established connection may not be dropped before 2 h 4 min of silence. */
  idleDeadlineMs: 124 * 60_000,
  /** Ours: what is under way may take this long to end when the relay is stopped; systemd kills after 90 s. */
  drainDeadlineMs: 20_000,
  /** Ours: what an old relay still carries after another has taken its place costs memory and nothing else. */
  handOverDeadlineMs: 3_600_000,
  /** Ours: what large providers accept (RFC 5321 §4.5.3.1.7 asks for 64 kB at least). */
  messageBytesMax: 52_428_800,
  /** Ours: what one friend may leave in our spool before we answer 452. */
  spoolPerFriendBytesMax: 2_147_483_648,
  /** Ours: three weeks of two mails a minute, so that small mails do not fill the tables instead of the disk. */
  messagesPerFriendMax: 60_000,
  /** Ours: half of Postfix's default_destination_concurrency_limit; a friend's box is small. */
  deliveriesPerFriendMax: 10,
  /** Ours: a box may be away for three weeks (RFC 5321 §4.5.4.1 asks for 4 to 5 days at least). */
  mailLifetimeMs: 21 * 24 * 3_600_000,
  /** Ours: two a second, many times what one mail host opens to a relay for a few friends. */
  connectionsPerSourcePerMinuteMax: 120,
  /** Ours: five a second, as a mailing list in full flow. */
  mailsPerSourcePerMinuteMax: 300,
  /** Ours: twenty a second, at which the queue of a friend who is away is full in an hour. */
  mailsPerFriendPerMinuteMax: 1_200,
}

export const DEFAULT_OUTGOING_MAIL: OutgoingMail = {
  /** Ours: Postfix's default_destination_concurrency_limit, for all destinations together. */
  connectionsMax: 20,
  /** Ours: a household's mail and a small list, and too few to be worth a spammer's while. */
  connectionsPerHourMax: 500,
}

export function routesOf(config: Config): readonly Route[] {
  return config.friends.flatMap((friend) => friend.routes)
}
