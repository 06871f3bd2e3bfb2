/**
 * Judges one route: what could the operator of this relay do with what passes? Pure: the same route and the same facts
 * give the same verdict. It judges the union of everything that one operator holds, not the relay alone.
 */
import { unreachable } from "../faults/unreachable.ts"
import { OUTGOING_MAIL, type FriendName, type Protocol, type Route } from "../route/route.ts"
import {
  dedicatedHttp,
  dedicatedLogin,
  dedicatedMail,
  dedicatedTcp,
  dedicatedTls,
  type MailArrival,
} from "./dedicated.ts"
import { direct } from "./direct.ts"
import type { Facts } from "./facts.ts"
import { outgoingMail } from "./outgoing.ts"
import { peerMail, peerWeb } from "./peer.ts"
import type { Findings, Mode, Reason, Verdict } from "./verdict.ts"
import { WARNINGS, type WarningCode } from "./warnings.ts"

/** The verdict for one route of the router's own table. */
export function judge(route: Route, facts: Facts): Verdict {
  return verdict(route, modeOf(route), findingsFor(route, facts))
}

/** The verdict for a friend whom DNS names directly: this relay is not on the way, but its operator may hold the name. */
export function judgeDirect(where: Pick<Route, "friend" | "listener" | "protocol">, facts: Facts): Verdict {
  return verdict(where, "direct", direct(facts))
}

/** The verdict for a friend whose box may send mail from the friend's own addresses. */
export function judgeOutgoing(friend: FriendName, facts: Facts): Verdict {
  return verdict({ friend, listener: OUTGOING_MAIL, protocol: "smtp" }, "outgoing", outgoingMail(facts))
}

function verdict(where: Pick<Route, "friend" | "listener" | "protocol">, mode: Mode, findings: Findings): Verdict {
  const { friend, listener, protocol } = where
  return { friend, listener, protocol, mode, findings, warnings: warningsFor(protocol, findings) }
}

function modeOf({ carry }: Route): Mode {
  return carry.mode === "dedicated" ? "dedicated" : `peer ${carry.as}`
}

function findingsFor(route: Route, facts: Facts): Findings {
  const { carry } = route
  if (carry.mode === "peer")
    return carry.as === "mail"
      ? peerMail({ sealed: carry.seal !== undefined, cutThrough: carry.cutThrough })
      : peerWeb(carry.cache)
  switch (route.protocol) {
    case "smtp":
      return dedicatedMail(facts, mailArrival(route))
    case "imap":
    case "managesieve":
    case "xmpp":
      return dedicatedLogin(facts)
    case "tls":
      return dedicatedTls(facts)
    case "http":
      return dedicatedHttp()
    case "tcp":
    case "tunnel": // no route starts at a tunnel listener; were there one, nothing would be known of what it carries
      return dedicatedTcp()
    default:
      return unreachable(route.protocol)
  }
}

/** `otherwise` comes to bear where senders are told apart by the name in their TLS: on an own address nobody is. */
function mailArrival({ carry, matches }: Route): MailArrival {
  if (!matches.some((match) => match.by === "starttls-sni")) return "own-address"
  return carry.mode === "dedicated" && carry.otherwise === "peer" ? "named-or-peer" : "named-only"
}

const STRIPPED: ReadonlySet<Reason> = new Set([
  "starttls-can-be-stripped",
  "starttls-is-optional",
  "starttls-is-left-to-the-app",
  "far-server-decides-tls",
])

/** The warnings that a route's findings call for, lowest code first. */
function warningsFor(protocol: Protocol, findings: Findings): readonly WarningCode[] {
  const { read, impersonate, keep } = findings
  const called: Readonly<Record<WarningCode, boolean>> = {
    WP101: protocol === "smtp" && read.level === "yes",
    WP102: protocol !== "smtp" && read.level === "yes",
    WP103: keep.because === "spooled-in-clear" || keep.because === "spooled-while-away",
    WP104: impersonate.because === "answers-for-the-name",
    WP105: STRIPPED.has(read.because),
    WP106: read.because === "carries-any-protocol",
    WP107: keep.because === "cached",
    WP108:
      impersonate.because === "operator-holds-the-name" ||
      impersonate.because === "operator-publishes-the-senders-keys",
    WP109: impersonate.because === "operator-holds-the-tls-key",
    WP110: impersonate.because === "own-address-is-at-the-relay",
  }
  return (Object.keys(WARNINGS) as WarningCode[]).filter((code) => called[code]) // Object.keys forgets the key type
}
