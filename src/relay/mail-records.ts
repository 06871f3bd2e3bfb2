/**
 * What a friend publishes so that senders come to the relay, name his host there, and insist on his own key: MX, TLSA
 * (RFC 7672), MTA-STS (RFC 8461), TLSRPT (RFC 8460) and CAA (RFC 8657). Values only; looking is done in look-at-home.ts.
 */
import { createHash } from "node:crypto"
import type { Config } from "../config/config.ts"
import { parentOf, type Hostname } from "../names/hostname.ts"
import { isIpv6, type IpAddress } from "../names/ip-address.ts"
import type { FriendName, Route } from "../route/route.ts"

/** Mail for a domain, and the host that its MX record names. */
export type MailPlace = {
  readonly friend: FriendName
  readonly domain: Hostname
  readonly host: Hostname
  readonly route: Route
}

/** What was found by looking. */
export type Found = {
  /** Where the host's name is to lead; empty: not known. */
  readonly addresses: readonly IpAddress[]
  /** What the friend's server shows behind STARTTLS: SHA-256 of its key, and whether an authority vouches for it under that name. */
  readonly shown: Shown
}

export type Shown =
  | { readonly kind: "key"; readonly digest: string; readonly vouchedFor: boolean }
  | { readonly kind: "not-seen"; readonly why: string }

export type ZoneRecord = {
  readonly name: string
  readonly type: "MX" | "A" | "AAAA" | "TLSA" | "TXT" | "CAA"
  readonly data: string
}

export type Published = {
  readonly friend: FriendName
  readonly domain: Hostname
  readonly host: Hostname
  readonly records: readonly ZoneRecord[]
  /** The file that MTA-STS fetches (RFC 8461 §3.2), and from where; where no certificate of ours would stand up to it, none. */
  readonly policy: { readonly url: string; readonly text: string } | undefined
  /** What is still to be done by hand, and why. */
  readonly notes: readonly string[]
  /** Lines to complete: what stands in capitals only the friend knows. */
  readonly byHand: readonly string[]
}

/** A name that is only a mail server's; the domain is then the one above it. */
const MAIL_LABEL = /^(?:mx|mail|smtp)\d*\./
/** RFC 6409: where programs hand in mail, which no MX names. */
const SUBMISSION_PORT = 587
/** RFC 8461 §3.2: "typically in the order of weeks". */
const POLICY_SECONDS = 604_800

/** Every domain whose mail is carried to a friend's own server, from what the file says of names. */
export function mailPlaces(config: Config): readonly MailPlace[] {
  return config.friends.flatMap((friend) => {
    const route = friend.routes.find((each) => isMailExchange(each, "dedicated", config))
    const names = friend.domains.filter(({ wildcard }) => !wildcard).map(({ name }) => name)
    return route ? mailHosts(names).map(({ domain, host }) => ({ friend: friend.name, domain, host, route })) : []
  })
}

/** Whether a domain's MX record leads to this route. */
export function isMailExchange(route: Route, mode: Route["carry"]["mode"], { listeners }: Config): boolean {
  const ports = listeners.find(({ name }) => name === route.listener)?.bind.map(({ port }) => port) ?? []
  return route.protocol === "smtp" && route.carry.mode === mode && !ports.every((port) => port === SUBMISSION_PORT)
}

/** A listed name above another is the domain of that host; `mx.` alone stands for the domain above; all else is both. */
export function mailHosts(
  names: readonly Hostname[],
): readonly { readonly domain: Hostname; readonly host: Hostname }[] {
  const hostUnder = (domain: Hostname) => names.find((name) => parentOf(name) === domain)
  return topmost(names).map((name) => {
    const host = hostUnder(name) ?? name
    const above = host === name && MAIL_LABEL.test(name) ? parentOf(name) : undefined
    return { domain: above ?? name, host }
  })
}

/** Those that do not stand right below another one. */
export function topmost(names: readonly Hostname[]): readonly Hostname[] {
  return names.filter((name) => !names.includes(parentOf(name) ?? name) || parentOf(name) === undefined)
}

export function published({ friend, domain, host }: MailPlace, { addresses, shown }: Found): Published {
  const vouchedFor = shown.kind === "key" && shown.vouchedFor
  const text = policyText(host, vouchedFor ? "enforce" : "testing")
  const id = createHash("sha256").update(text).digest("hex").slice(0, 20) // RFC 8461 §3.1: up to 32 letters and digits
  const records: ZoneRecord[] = [
    { name: domain, type: "MX", data: `10 ${host}.` },
    ...hostRecords(host, { addresses, shown }),
    { name: `_mta-sts.${domain}`, type: "TXT", data: `"v=STSv1; id=${id}"` },
    reportsRecord(domain),
  ]
  const policy = { url: `https://mta-sts.${domain}/.well-known/mta-sts.txt`, text }
  const found = { addresses, shown }
  const place = { domain, host }
  return { friend, domain, host, records, policy, notes: notes(place, found), byHand: byHand(place, shown) }
}

/** Where the host is, and the key that it shows. */
export function hostRecords(host: Hostname, { addresses, shown }: Found): readonly ZoneRecord[] {
  const places = addresses.map(
    (address) => ({ name: host, type: isIpv6(address) ? "AAAA" : "A", data: address }) as const,
  )
  const key =
    shown.kind === "key" && ({ name: `_25._tcp.${host}`, type: "TLSA", data: `3 1 1 ${shown.digest}` } as const)
  return key ? [...places, key] : places
}

/** RFC 8460 §3: who is told how senders fared. */
export function reportsRecord(domain: Hostname): ZoneRecord {
  return { name: `_smtp._tls.${domain}`, type: "TXT", data: `"v=TLSRPTv1; rua=mailto:postmaster@${domain}"` }
}

function policyText(host: Hostname, mode: "enforce" | "testing"): string {
  return ["version: STSv1", `mode: ${mode}`, `mx: ${host}`, `max_age: ${POLICY_SECONDS}`, ""].join("\n")
}

function notes({ domain, host }: { domain: Hostname; host: Hostname }, { addresses, shown }: Found): readonly string[] {
  return [
    ...(addresses.length === 0
      ? [`${host} needs A and AAAA records with the relay's addresses, which are not known here.`]
      : []),
    ...(shown.kind === "not-seen"
      ? [`The key of ${host} could not be looked at (${shown.why}); the policy is in mode testing until it was.`]
      : []),
    ...(shown.kind === "key" && !shown.vouchedFor
      ? [
          `No authority vouches for what ${host} shows: senders with MTA-STS would refuse it, so the policy is in mode testing.`,
        ]
      : []),
    "TLSA counts only in a zone that is signed (DNSSEC), and only if the relay's operator can neither change nor sign it.",
    `mta-sts.${domain} must lead to a web server with a certificate for that name, and not to one of the relay's operator.`,
    "Only the friend's own account should get certificates: put its number into CAA.",
  ]
}

/** Zone lines with a word in capitals that only the friend knows; and how to make TLSA where the key is. */
function byHand({ domain, host }: { domain: Hostname; host: Hostname }, shown: Shown): readonly string[] {
  const account = "https://acme-v02.api.letsencrypt.org/acme/acct/NUMBER"
  const caa = [...new Set([domain, host])].map(
    (name) => `${name}. CAA 0 issue "letsencrypt.org; validationmethods=dns-01; accounturi=${account}"`,
  )
  if (shown.kind === "key") return caa
  const digest = "openssl x509 -in cert.pem -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum"
  return [...caa, `_25._tcp.${host}. TLSA 3 1 1 DIGITS`, `DIGITS: ${digest}`]
}
