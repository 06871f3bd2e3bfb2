/** Outgoing mail from a friend's own address: the relay passes bytes between the friend's server and others. */
import { CAN_CUT_OFF, findings, ground, keptOnlyIfRead, SEES_METADATA, type Ground } from "./findings.ts"
import { holdsTheName, type Facts } from "./facts.ts"
import type { Findings } from "./verdict.ts"

/**
 * TLS ends at the far server, where it has any. A sending server that looks at DANE or MTA-STS of the far side cannot be led
 * astray where that side publishes them; nothing is known here of what the friend's server looks at. And whoever has the
 * address can send from it: SPF names addresses, and DMARC is content with SPF (RFC 7489 §4.2).
 */
export function outgoingMail(facts: Facts): Findings {
  const read = ground("by-attack", "far-server-decides-tls", ["RFC 3207 §6", "RFC 7672 §1.3", "RFC 8461 §1"], {
    against: ["insist-on-tls", "end-to-end-content"],
  })
  return findings({
    read,
    change: read,
    impersonate: holdsTheName(facts) ? PUBLISHES_THE_KEYS : HAS_THE_ADDRESS,
    keep: keptOnlyIfRead(read),
    metadata: SEES_METADATA,
    "cut-off": CAN_CUT_OFF,
  })
}

const HAS_THE_ADDRESS: Ground = ground(
  "by-attack",
  "own-address-is-at-the-relay",
  ["RFC 7208 §11.4", "RFC 7489 §4.2"],
  { against: ["sign-without-spf", "end-to-end-content"] },
)

/** RFC 6376 §3.6.2: whoever decides what the name says in DNS signs in it. */
const PUBLISHES_THE_KEYS: Ground = ground(
  "yes",
  "operator-publishes-the-senders-keys",
  ["RFC 6376 §3.6.2", "RFC 7208 §11.4"],
  { against: ["own-name", "end-to-end-content"] },
)
