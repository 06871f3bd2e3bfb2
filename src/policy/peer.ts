/** Peer routes: the relay itself is an end, and has in the clear what ends there. */
import { spooled } from "./dedicated.ts"
import { CAN_CUT_OFF, findings, ground, keptOnlyIfRead, SEES_METADATA, type Ground } from "./findings.ts"
import type { Findings } from "./verdict.ts"

/** A backup MX. RFC 5321 §7.1: "Real mail security lies only in end-to-end methods involving the message bodies". */
export function peerMail(how: { readonly sealed: boolean; readonly cutThrough: boolean }): Findings {
  const ends = ground("yes", "relay-is-an-end", ["RFC 5321 §7.1"], {
    against: ["dedicated-route", "end-to-end-content"],
  })
  return findings({ ...anEnd(ends), keep: spooled(how) })
}

/** A reverse proxy, on plain HTTP or with the relay's own certificate. */
export function peerWeb(cache: boolean): Findings {
  const ends = ground("yes", "relay-is-an-end", ["RFC 9110 §3.7", "RFC 9110 §17.1"], { against: ["dedicated-route"] })
  const cached = ground("yes", "cached", ["RFC 9111 §7"])
  return findings({ ...anEnd(ends), keep: cache ? cached : keptOnlyIfRead(ends) })
}

function anEnd(ends: Ground) {
  return { read: ends, change: ends, impersonate: ends, metadata: SEES_METADATA, "cut-off": CAN_CUT_OFF }
}
