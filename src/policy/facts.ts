/**
 * What is known about a friend's names and about everything that the relay's operator holds. A fact that was not checked
 * is not assumed: `NOTHING_CHECKED` is the state of knowledge of a relay that has only read its own configuration.
 */

/** What one operator may hold besides the relay. Powers are judged over all of it together. */
export const HOLDINGS = [
  "name-server", // the primary for the friend's zone
  "update-key", // a TSIG or SIG(0) key that may change the zone (RFC 2136)
  "zone-key", // the DNSSEC key that signs the zone
  "domain", // the registration, or a parent zone that can delegate the name anew
  "certificate-account", // the ACME account that CAA names
  "tls-key", // the private key that the box shows
] as const
export type Holding = (typeof HOLDINGS)[number]

export type Facts = {
  readonly operatorHolds: readonly Holding[]
  /** CAA with `accounturi` and `validationmethods=dns-01` for exactly one CA that obeys RFC 8657, for the name and for wildcards. */
  readonly caaAccountAndMethod: boolean
  /** The zone is signed (DNSSEC) with a key at the friend's home. */
  readonly zoneSignedAtHome: boolean
  /** A policy in mode `enforce`, served from where the relay's operator cannot forge it. */
  readonly mtaStsEnforce: boolean
  /** TLSA for the MX name that the box's key matches. */
  readonly dane: boolean
  /** ECH with its key at the box: the relay sees the outer name alone (RFC 9849). */
  readonly echKeyAtBox: boolean
}

export const NOTHING_CHECKED: Facts = {
  operatorHolds: [],
  caaAccountAndMethod: false,
  zoneSignedAtHome: false,
  mtaStsEnforce: false,
  dane: false,
  echKeyAtBox: false,
}

/** The operator decides what the friend's name means: no promise made under that name binds him. */
export function holdsTheName({ operatorHolds, zoneSignedAtHome }: Facts): boolean {
  const servesIt = operatorHolds.includes("name-server") || operatorHolds.includes("update-key")
  return operatorHolds.includes("domain") || operatorHolds.includes("zone-key") || (servesIt && !zoneSignedAtHome)
}

/** No CA may certify a key of the operator's: CAA binds in a zone that he can neither change nor sign (RFC 8657 §5). */
export function certificatesAreBound(facts: Facts): boolean {
  const inForce = facts.caaAccountAndMethod && facts.zoneSignedAtHome
  return inForce && !holdsTheName(facts) && !facts.operatorHolds.includes("certificate-account")
}
