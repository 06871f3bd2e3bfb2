/** Dedicated routes: the relay passes bytes that it has no key for. What it can do follows from what the bytes protect. */
import { certificatesAreBound, holdsTheName, type Facts } from "./facts.ts"
import { CAN_CUT_OFF, findings, ground, keptOnlyIfRead, SEES_METADATA, type Ground } from "./findings.ts"
import type { Defence, Findings, Reason } from "./verdict.ts"

/** TLS from the first byte, found by address or by SNI. */
export function dedicatedTls(facts: Facts): Findings {
  const impersonate = tlsImpersonation(facts)
  const read = tlsReading(impersonate)
  return findings({
    read,
    change: read,
    impersonate,
    keep: keptOnlyIfRead(read),
    metadata: facts.echKeyAtBox ? ground("yes", "sees-addresses-not-the-name", ["RFC 9849 §10.1"]) : SEES_METADATA,
    "cut-off": CAN_CUT_OFF,
  })
}

/** RFC 8446 §1: a secure channel, "even in the face of an attacker who has complete control of the network". */
const TLS_PROTECTS: Ground = ground("no", "tls-ends-at-the-box", ["RFC 8446 §1"])

/** Who poses as the site reads what is sent to him; that is told as impersonation unless nothing stands against it. */
function tlsReading(impersonate: Ground): Ground {
  return impersonate.level === "yes" ? { ...impersonate, level: "by-attack" } : TLS_PROTECTS
}

const SEEN_AFTERWARDS: readonly Defence[] = ["certificate-transparency", "self-probe"]

/** Whoever decides what a name means gets a certificate for it, by DNS if by nothing else. */
export const HOLDS_THE_NAME: Ground = ground("yes", "operator-holds-the-name", ["RFC 8555 §8.4", "RFC 4033 §3.1"], {
  against: ["own-name", ...SEEN_AFTERWARDS],
})

/** What follows from holding the name: new visitors are led elsewhere, and read there. */
export function throughTheName(): Ground {
  return { ...HOLDS_THE_NAME, level: "by-attack" }
}

function tlsImpersonation(facts: Facts): Ground {
  const attacked = takenOver(facts)
  if (attacked) return attacked
  return certificatesAreBound(facts)
    ? ground("no", "certificates-are-bound", ["RFC 8657 §5", "RFC 8659"])
    : ANSWERS_FOR_THE_NAME
}

/** Where the operator holds what makes the friend's box the friend's box, he needs no trick to take its place. */
function takenOver(facts: Facts): Ground | undefined {
  if (facts.operatorHolds.includes("tls-key")) {
    return ground("yes", "operator-holds-the-tls-key", ["RFC 8446 §2", "RFC 9266"], { against: ["self-probe"] })
  }
  return holdsTheName(facts) ? HOLDS_THE_NAME : undefined
}

/** The relay is where the name leads, from everywhere: looking from several networks changes nothing. */
const ANSWERS_FOR_THE_NAME: Ground = ground(
  "by-attack",
  "answers-for-the-name",
  ["RFC 8555 §8.3", "RFC 8737", "RFC 8657 §5"],
  {
    against: ["caa-account-and-method", ...SEEN_AFTERWARDS],
  },
)

/**
 * How mail senders are told apart. `own-address`: not at all, whoever comes is passed on. `named-only`: by the name in
 * the TLS that follows STARTTLS, all others are refused. `named-or-peer`: all others end at the relay itself.
 */
export type MailArrival = "own-address" | "named-only" | "named-or-peer"

/** SMTP with STARTTLS. */
export function dedicatedMail(facts: Facts, arrival: MailArrival): Findings {
  const attacked = takenOver(facts)
  const stripped = arrival === "own-address" ? "starttls-is-optional" : "starttls-can-be-stripped"
  const passed = attacked ? { ...attacked, level: "by-attack" as const } : downgraded(facts, stripped)
  const posed = attacked ?? downgraded(facts, "senders-check-no-certificate")
  const someEndHere = arrival === "named-or-peer"
  const read = someEndHere ? UNNAMED_END_HERE : passed
  return findings({
    read,
    change: read,
    impersonate: someEndHere && !attacked ? UNNAMED_END_HERE : posed,
    keep: someEndHere ? spooled({ sealed: false, cutThrough: true }) : keptOnlyIfRead(read),
    metadata: SEES_METADATA,
    "cut-off": CAN_CUT_OFF,
  })
}

const UNNAMED_END_HERE: Ground = ground("yes", "unnamed-senders-end-at-the-relay", ["RFC 3207 §4", "RFC 8461 §7.1"], {
  extent: "some",
  against: ["end-to-end-content"],
})

/**
 * What a spool keeps of the mail in it. Sealing protects from a later thief of the disk, not from who sealed. Cut-through
 * changes the extent alone: how much is kept depends on how often the friend's server is away.
 */
export function spooled(how: { readonly sealed: boolean; readonly cutThrough: boolean }): Ground {
  const { sealed, cutThrough } = how
  const more = { against: ["end-to-end-content"], extent: cutThrough ? "some" : "all" } as const
  if (sealed) return ground("by-attack", "spooled-sealed", [], more)
  return ground("yes", cutThrough ? "spooled-while-away" : "spooled-in-clear", ["RFC 5321 §4.5.4.1"], more)
}

const MAIL_SOURCES = ["RFC 3207 §6", "RFC 7672 §1.3", "RFC 8461 §1"]

/**
 * STARTTLS is asked for in the clear, and most senders take any certificate. Those that check (DANE, MTA-STS) cannot be
 * led astray; but MTA-STS trusts every CA, so it is no better than what keeps a CA from certifying the relay.
 */
function downgraded(facts: Facts, unchecked: Reason): Ground {
  const { dane, mtaStsEnforce } = facts
  const bound = certificatesAreBound(facts)
  const against: Defence[] = ["end-to-end-content"]
  if (mtaStsEnforce && !bound) against.unshift("caa-account-and-method")
  if (!mtaStsEnforce) against.unshift("mta-sts-enforce")
  if (!dane) against.unshift("dane")
  if (dane || (mtaStsEnforce && bound)) {
    return ground("by-attack", "some-senders-check-nothing", MAIL_SOURCES, { extent: "some", against })
  }
  if (mtaStsEnforce) return { ...ANSWERS_FOR_THE_NAME, against: [...against, ...SEEN_AFTERWARDS] }
  return ground("by-attack", unchecked, MAIL_SOURCES, { against })
}

/**
 * IMAP, ManageSieve and XMPP with STARTTLS: people log in there with programs of their own, which look at the certificate.
 * Whether they go on without TLS is theirs to say (RFC 8314 §5.1 asks them not to), and no record tells them.
 */
export function dedicatedLogin(facts: Facts): Findings {
  const hidden = ground("by-attack", "starttls-is-left-to-the-app", ["RFC 8314 §5.1", "RFC 2595 §2.1"], {
    against: ["implicit-tls"],
  })
  const impersonate = tlsImpersonation(facts)
  const read = impersonate.level === "yes" ? tlsReading(impersonate) : hidden
  return findings({
    read,
    change: read,
    impersonate: impersonate.level === "no" ? hidden : impersonate,
    keep: keptOnlyIfRead(read),
    metadata: SEES_METADATA,
    "cut-off": CAN_CUT_OFF,
  })
}

/** Plain HTTP at an own address or port: passed on untouched, and open to every eye on the way. */
export function dedicatedHttp(): Findings {
  const open = ground("yes", "not-encrypted", ["RFC 9110 §17.1"], { against: ["implicit-tls"] })
  return findings({
    read: open,
    change: open,
    impersonate: open,
    keep: keptOnlyIfRead(open),
    metadata: SEES_METADATA,
    "cut-off": CAN_CUT_OFF,
  })
}

/** An own port or address for anything: SSH would be safe, a plain protocol open, and the relay does not know which. */
export function dedicatedTcp(): Findings {
  const unknown = ground("by-attack", "carries-any-protocol", ["RFC 3552 §3.2"], { against: ["end-to-end-protocol"] })
  return findings({
    read: unknown,
    change: unknown,
    impersonate: unknown,
    keep: keptOnlyIfRead(unknown),
    metadata: SEES_METADATA,
    "cut-off": CAN_CUT_OFF,
  })
}
