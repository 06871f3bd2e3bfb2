/**
 * The shape of a configuration file, key by key. Each description says what would be right: it is printed with a fault,
 * shown by editors through the JSON Schema, and compared with docs/configuration.md. What holds between keys is in
 * cross-checks.ts.
 */
import * as z from "zod"
import { endpoint, socketAddress } from "../names/endpoint.ts"
import { hostname, hostPattern } from "../names/hostname.ts"
import { mailAddress } from "../names/mail-address.ts"
import { cidr, ipAddress } from "../names/ip-address.ts"
import { ageRecipient } from "../names/age-recipient.ts"
import type { PinnedKeys } from "../route/route.ts"
import { bytesPerSecond, durationMs, sizeBytes } from "./units.ts"

/** Names of friends and listeners: they stand in logs, in metrics and in file names. */
export const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
export const NAME_RIGHT = "lower-case letters, digits and hyphens, at most 63, as in alice or https-2"

/** `setTimeout` takes at most 2^31 - 1 ms and fires at once beyond. */
const DEADLINE_MS_MAX = 24 * 86_400_000
/** RFC 5321 §4.5.3.2.1: a client waits five minutes for the greeting; many do not. */
const GREET_WAIT_MS_MAX = 60_000
const LIFETIME_MS_MAX = 365 * 86_400_000
/** Ours: below this a ClientHello takes seconds. */
const RATE_BYTES_PER_SECOND_MIN = 1_000
/** Ours: above every network card, and far below where counting tokens loses bytes. */
const RATE_BYTES_PER_SECOND_MAX = 1_000_000_000_000

/** Ours: the times of so many are remembered. */
const OUTGOING_PER_HOUR_MAX = 100_000

const SEAL_RIGHT = "whom kept mail is encrypted to: age1 and 58 more characters, as waypost join prints them"
const PIN_RIGHT = "pin:sha256: and the 64 hexadecimal digits of the key's digest, as in its TLSA record 3 1 1"
const TLS_RIGHT = `peer on smtp: TLS to the friend's server: opportunistic, encrypt, verify, published, dane-only, or ${PIN_RIGHT}`

const socketAddressText = leaf(
  socketAddress,
  "an address with a port",
  'address and port, as in "0.0.0.0:25" or "[::]:25"',
)
const endpointText = leaf(
  (text) => (text === "box" ? text : withPort(text)),
  "a place to connect to",
  'host and port, as in "10.0.0.5:443" or "mx.dave.example:25", or box for the friend\'s tunnel',
)
const hostPatternText = leaf(
  hostPattern,
  "a host name",
  'a host name, or one level below it, as in alice.example or "*.alice.example"',
)
const deadline = leaf(
  (text) => within(durationMs(text), DEADLINE_MS_MAX),
  "a duration that a deadline can have",
  "a number and ms, s, m, h or d, as in 10s; at most 24d",
)
const size = leaf(
  (text) => within(sizeBytes(text), Number.MAX_SAFE_INTEGER),
  "a size",
  "a number and kB, MB, GB or KiB, MiB, GiB, as in 50MB",
)
const rate = leaf(
  (text) => atLeast(within(bytesPerSecond(text), RATE_BYTES_PER_SECOND_MAX), RATE_BYTES_PER_SECOND_MIN),
  "a rate",
  "a number and kB/s, MB/s or GB/s, or kbit/s, Mbit/s or Gbit/s, as in 10MB/s; at least 1kB/s",
)
const hourly = z.int().min(1).max(OUTGOING_PER_HOUR_MAX).meta({ description: "a whole number from 1 to 100000" })
const count = z.int().min(1).max(10_000_000).meta({ description: "a whole number from 1 to 10000000" })

export const resolverSchema = z
  .strictObject({
    at: z
      .array(leaf(socketAddress, "an address with a port", 'address and port, as in "127.0.0.1:53"'))
      .min(1)
      .meta({ description: 'the resolvers to ask, as in ["127.0.0.1:53"]' }),
    trusted: z
      .boolean()
      .meta({ description: "true: the way to them is protected, so that they are believed when they validate" })
      .default(false),
  })
  .meta({ description: 'a map with at, as in { at: ["127.0.0.1:53"] }' })

export const relaySchema = z
  .strictObject({
    name: leaf(hostname, "a host name", "the relay's host name, as in relay.bob.example; it is its EHLO and MX name"),
    state: leaf(folder, "a folder", "a folder, from where this file is; SQLite and keys are kept inside").default(
      "./state",
    ),
    admin: leaf(
      socketAddress,
      "an address with a port",
      "where metrics and health are served, as in 127.0.0.1:7080",
    ).optional(),
    "tell-senders": z
      .enum(["nobody", "everybody"])
      .meta({ description: "who is told of kept mail that failed: nobody (it is held for the friend), or everybody" })
      .default("nobody"),
    resolver: resolverSchema.optional(),
    "tls-reports": leaf(
      mailAddress,
      "a mail address",
      "whom to ask about reports on TLS, as in postmaster@bob.example; with it they are sent (RFC 8460)",
    ).optional(),
  })
  .meta({ description: "the relay itself: name, state and admin" })

export const listenerSchema = z
  .strictObject({
    bind: oneOrMore(socketAddressText, 'address and port, as in "0.0.0.0:25" or "[::]:25", or a list of them'),
    protocol: z
      .enum(["smtp", "imap", "managesieve", "xmpp", "tls", "http", "tcp", "tunnel"])
      .meta({ description: "smtp, imap, managesieve, xmpp, tls, http, tcp or tunnel" }),
    "accept-proxy": z
      .array(leaf(cidr, "an address range", "an address or a range, as in 10.0.0.0/8"))
      .meta({ description: "the ranges of the load balancers whose PROXY header is read, as in [10.0.0.0/8]" })
      .default([]),
    "greet-wait": leaf(
      (text) => within(durationMs(text), GREET_WAIT_MS_MAX),
      "a duration up to a minute",
      "smtp only: how long to wait before the greeting, as in 6s; who talks meanwhile is turned away",
    ).optional(),
    odmr: z
      .boolean()
      .meta({ description: "smtp only: true lets friends' servers log in and fetch their mail (ATRN, RFC 2645)" })
      .optional(),
    friend: z.string().meta({ description: "the one friend whose listener this is, whatever arrives" }).optional(),
    default: z
      .string()
      .meta({ description: "tls only: the friend who gets visitors that name no server, or one that is no friend's" })
      .optional(),
  })
  .meta({ description: "a map with bind and protocol" })

export const routeSchema = z
  .strictObject({
    mode: z
      .enum(["dedicated", "peer"])
      .meta({ description: "dedicated (bytes pass end to end) or peer (the relay is an end)" }),
    to: oneOrMore(endpointText, 'host and port as in "10.0.0.5:443", a list of them, or box'),
    service: z
      .string()
      .regex(NAME)
      .meta({ description: "with to: box, the service there; else the listener's name" })
      .optional(),
    engine: z
      .enum(["relay", "kernel"])
      .meta({ description: "dedicated on an own address: who moves the bytes: relay or kernel (nftables)" })
      .optional(),
    proxy: z
      .enum(["none", "v1", "v2", "xclient"])
      .meta({
        description: "dedicated: how the backend is told who the visitor is: none, v1 or v2 (PROXY), or xclient (smtp)",
      })
      .optional(),
    otherwise: z
      .enum(["refuse", "peer"])
      .meta({ description: "dedicated on smtp: what senders get whose TLS names nobody: refuse or peer" })
      .optional(),
    recipients: z
      .union([z.array(leaf(localPart, "a local part", "what stands before the @, as in postmaster")), z.literal("ask")])
      .meta({
        description: "peer on smtp: who may be written to, as in [dave, info]; ask: the friend's server is asked",
      })
      .optional(),
    "recipients-file": leaf(folder, "a file", "a file, from where this file is, that `waypost recipients hash` wrote")
      .meta({ description: "peer on smtp: who may be written to, as hashes that `waypost recipients hash` wrote" })
      .optional(),
    tls: z
      .union([
        z.enum(["opportunistic", "encrypt", "verify", "published", "dane-only"]),
        leaf(pinnedKeys, "a pinned key", PIN_RIGHT),
      ])
      .meta({ description: TLS_RIGHT })
      .optional(),
    "cut-through": z
      .boolean()
      .meta({
        description: "peer on smtp: false keeps every mail first; without it only while the friend's server is away",
      })
      .optional(),
    xclient: z
      .boolean()
      .meta({ description: "smtp: true tells the friend's server who handed in mail that ends at the relay (XCLIENT)" })
      .optional(),
    authenticate: z
      .boolean()
      .meta({
        description: "peer on smtp: true checks SPF, DKIM and DMARC and says in the header what came of it (RFC 8601)",
      })
      .optional(),
    seal: leaf(ageRecipient, "an age recipient", SEAL_RIGHT)
      .meta({ description: `peer on smtp, to: box: ${SEAL_RIGHT}` })
      .optional(),
    greylist: z
      .boolean()
      .meta({ description: "peer on smtp: true takes mail that is to be kept from strangers at their second try" })
      .optional(),
    "block-lists": z
      .array(leaf(hostname, "a host name", "the domain of a DNS block list, as in zen.spamhaus.org"))
      .meta({ description: "peer on smtp: DNS block lists whose addresses are refused, as in [zen.spamhaus.org]" })
      .optional(),
    cache: z.boolean().meta({ description: "peer on http: true keeps pages that may be shared (RFC 9111)" }).optional(),
  })
  .meta({ description: 'a route, as in { mode: dedicated, to: "10.0.0.5:443" }' })

export const outgoingMailSchema = z
  .union([
    z.boolean(),
    z.strictObject({ "connections-max": count.optional(), "connections-per-hour-max": hourly.optional() }),
  ])
  .meta({
    description: "true: their box may open connections to port 25 from their addresses; or a map with limits",
  })

export const friendSchema = z
  .strictObject({
    promise: z
      .enum(["none", "sealed"])
      .meta({ description: "none, or sealed: the relay refuses to start if a route lets it read" })
      .default("none"),
    domains: z
      .array(hostPatternText)
      .meta({ description: 'a list of host names, as in [alice.example, "*.alice.example"]' })
      .default([]),
    "takes-over": z
      .array(hostPatternText)
      .meta({ description: "those of domains that another friend had within 30 days and has given to this one" })
      .default([]),
    addresses: z
      .array(leaf(ipAddress, "an IP address", "an IP address, as in 203.0.113.7 or 2001:db8::7"))
      .meta({ description: "a list of the relay's addresses that are this friend's alone" })
      .default([]),
    rate: rate.optional(),
    "notes-to": leaf(mailAddress, "a mail address", "where the friend is told once a day what waits for him")
      .meta({ description: "where this friend is told once a day what waits for him, and why" })
      .optional(),
    "wake-from": z
      .array(leaf(cidr, "an address range", "an address or a range, as in 203.0.113.9"))
      .meta({ description: "from where this friend's mail server may ask for his mail (ETRN), as in [203.0.113.9]" })
      .default([]),
    "odmr-secret-file": leaf(folder, "a file", "a file, from where this file is, with one line: the secret")
      .meta({ description: "the file with the secret by which this friend's server fetches his mail (ATRN)" })
      .optional(),
    "outgoing-mail": outgoingMailSchema.default(false),
    routes: z.record(z.string(), routeSchema).meta({ description: "routes by the name of their listener" }).default({}),
  })
  .meta({ description: "a map with domains and routes" })

export const limitsSchema = z
  .strictObject({
    "connections-max": count.optional(),
    "connections-per-source-max": count.optional(),
    "connections-per-friend-max": count.optional(),
    "hello-deadline": deadline.optional(),
    "prelude-deadline": deadline.optional(),
    "connect-deadline": deadline.optional(),
    "idle-deadline": deadline.optional(),
    "drain-deadline": deadline.optional(),
    "hand-over-deadline": deadline.optional(),
    "message-max": size.optional(),
    "spool-per-friend-max": size.optional(),
    "messages-per-friend-max": count.optional(),
    "deliveries-per-friend-max": count.optional(),
    "connections-per-source-per-minute-max": count.optional(),
    "mails-per-source-per-minute-max": count.optional(),
    "mails-per-friend-per-minute-max": count.optional(),
    "mail-lifetime": leaf(
      (text) => within(durationMs(text), LIFETIME_MS_MAX),
      "a duration up to a year",
      "a number and h, d or w, as in 21d",
    ).optional(),
  })
  .meta({ description: "limits to change; each has a default" })

export const fileSchema = z
  .strictObject({
    relay: relaySchema,
    listeners: z.record(z.string(), listenerSchema).meta({ description: "a map from names to listeners" }),
    friends: z.record(z.string(), friendSchema).meta({ description: "a map from names to friends" }).default({}),
    limits: limitsSchema.default({}),
  })
  .meta({ description: "a map with relay, listeners and friends" })

export type FileContent = z.output<typeof fileSchema>
export type FileListener = z.output<typeof listenerSchema>
export type FileFriend = z.output<typeof friendSchema>
export type FileRoute = z.output<typeof routeSchema>

/** What editors check the file against while it is written (JSON Schema 2020-12). */
export function configJsonSchema(): object {
  return z.toJSONSchema(fileSchema, { io: "input" })
}

/** A text that is read into a value that cannot lie. */
export function leaf<Value>(read: (text: string) => Value | undefined, what: string, description: string) {
  return z
    .string()
    .transform((text, context) => {
      const value = read(text)
      if (value !== undefined) return value
      context.addIssue({ code: "custom", message: `"${text}" is not ${what}` })
      return z.NEVER
    })
    .meta({ description })
}

/** One value, or a list with at least one. */
export function oneOrMore<Leaf extends z.ZodType>(one: Leaf, description: string) {
  type Value = z.output<Leaf>
  return z
    .union([one, z.array(one).min(1)])
    .transform((value) => (Array.isArray(value) ? value : [value]) as [Value, ...Value[]]) // the union lets no empty list through
    .meta({ description })
}

export function withPort(text: string) {
  const place = endpoint(text)
  return place && place.port > 0 ? place : undefined
}

function within(amount: number | undefined, max: number): number | undefined {
  return amount !== undefined && amount > 0 && amount <= max ? amount : undefined
}

function atLeast(amount: number | undefined, min: number): number | undefined {
  return amount !== undefined && amount >= min ? amount : undefined
}

export function folder(text: string): string | undefined {
  return text.length > 0 && !/^[a-z]+:\/\//i.test(text) ? text : undefined
}

/** `pin:sha256:…`, or several such digests with commas between them while a key is being changed. */
function pinnedKeys(text: string): PinnedKeys | undefined {
  if (!/^pin:sha256:[0-9a-f]{64}(?:,sha256:[0-9a-f]{64})*$/i.test(text)) return undefined
  const [first = "", ...more] = Array.from(text.matchAll(/[0-9a-f]{64}/gi), ([digest]) => digest.toLowerCase())
  return { spkiSha256: [first, ...more] }
}

/** RFC 5321 §4.1.2 dot-string; case does not matter here, since a friend rarely has two people who differ by it. */
function localPart(text: string): string | undefined {
  return /^[^\s@"<>()[\],;:\\]{1,64}$/.test(text) ? text.toLowerCase() : undefined
}
