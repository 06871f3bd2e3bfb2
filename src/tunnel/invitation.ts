/**
 * The one line that Bob gives to Alice: where the relay is, the pin of its key, and a secret that works once. Whoever
 * holds the line can become the friend's box until it was used or has expired, so it travels like a password.
 *
 *     waypost:alice@relay.bob.example:7443,192.0.2.7:7443#KEY.SECRET
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { endpoint, endpointText, type Endpoint } from "../names/endpoint.ts"
import { pin, type Pin } from "./pin.ts"

/** Ours: a day, so that a line found later in a mailbox opens nothing. */
export const INVITATION_LIFETIME_MS = 24 * 3_600_000
/** Ours: 128 bits, not to be guessed. */
const SECRET_BYTES = 16
const LINE = /^waypost:(?<friend>[a-z0-9][a-z0-9-]{0,62})@(?<relays>[^#]+)#(?<key>[^.]+)\.(?<secret>[A-Za-z0-9_-]{22})$/

export type Invitation = {
  readonly friend: string
  readonly relays: readonly [Endpoint, ...Endpoint[]]
  readonly relayPin: Pin
  readonly secret: string
}

export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString("base64url")
}

export function invitationLine(invitation: Invitation): string {
  const relays = invitation.relays.map(endpointText).join(",")
  return `waypost:${invitation.friend}@${relays}#${invitation.relayPin}.${invitation.secret}`
}

/** Reads the line as pasted, spaces around it included; `undefined` if it is damaged. */
export function readInvitation(line: string): Invitation | undefined {
  const parts = LINE.exec(line.trim())?.groups
  const [first, ...more] = (parts?.["relays"] ?? "").split(",").map(endpoint)
  const relayPin = pin(parts?.["key"] ?? "")
  if (!parts?.["friend"] || !parts["secret"] || !relayPin || !first) return undefined
  const others = more.filter((relay) => relay !== undefined)
  return others.length < more.length
    ? undefined
    : { friend: parts["friend"], relays: [first, ...others], relayPin, secret: parts["secret"] }
}

/** What the relay keeps instead of the secret: who reads its disk cannot join. */
export function secretDigest(secret: string): string {
  return createHash("sha256").update(`waypost invitation ${secret}`).digest("base64url")
}

export function secretMatches(secret: string, digest: string): boolean {
  const ours = Buffer.from(secretDigest(secret))
  const theirs = Buffer.from(digest)
  return ours.length === theirs.length && timingSafeEqual(ours, theirs)
}
