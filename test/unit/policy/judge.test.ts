import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { HOLDINGS, NOTHING_CHECKED, type Facts } from "../../../src/policy/facts.ts"
import { judge, judgeDirect, judgeOutgoing } from "../../../src/policy/judge.ts"
import { levelWord } from "../../../src/policy/verdict-table.ts"
import { DEFENCES, POWERS, REASONS, type Finding, type Verdict } from "../../../src/policy/verdict.ts"
import { WARNINGS } from "../../../src/policy/warnings.ts"
import { expectGolden } from "../../support/golden.ts"
import {
  dedicated,
  facts,
  HOST,
  OWN_ADDRESS,
  PEER_MAIL,
  SEALED_MAIL,
  peerMail,
  peerWeb,
  RECIPIENT,
  route,
  SNI,
  STARTTLS_SNI,
} from "../../support/truth-table.ts"

type Judged = (known: Facts) => Verdict

const KINDS: Readonly<Record<string, Judged>> = {
  direct: (known) => judgeDirect({ friend: "alice", listener: "https", protocol: "tls" }, known),
  "dedicated tls": (known) => judge(route("tls", SNI, dedicated()), known),
  "dedicated smtp, own address": (known) => judge(route("smtp", OWN_ADDRESS, dedicated("peer")), known),
  "dedicated smtp, otherwise refuse": (known) => judge(route("smtp", STARTTLS_SNI, dedicated()), known),
  "dedicated smtp, otherwise peer": (known) => judge(route("smtp", STARTTLS_SNI, dedicated("peer")), known),
  "dedicated imap": (known) => judge(route("imap", STARTTLS_SNI, dedicated()), known),
  "dedicated http": (known) => judge(route("http", OWN_ADDRESS, dedicated()), known),
  "dedicated tcp": (known) => judge(route("tcp", { by: "port" }, dedicated()), known),
  "peer smtp": (known) => judge(route("smtp", RECIPIENT, PEER_MAIL), known),
  "peer smtp, everything kept": (known) => judge(route("smtp", RECIPIENT, peerMail(false)), known),
  "outgoing mail": (known) => judgeOutgoing("alice", known),
  "peer smtp, sealed spool": (known) => judge(route("smtp", RECIPIENT, SEALED_MAIL), known),
  "peer http": (known) => judge(route("http", HOST, peerWeb(false)), known),
  "peer http, cache": (known) => judge(route("http", HOST, peerWeb(true)), known),
}

const BOUND: Partial<Facts> = { caaAccountAndMethod: true, zoneSignedAtHome: true }
const DEFENDED: Partial<Facts> = { ...BOUND, dane: true, mtaStsEnforce: true, echKeyAtBox: true }
const KNOWN: Readonly<Record<string, Partial<Facts>>> = {
  "nothing checked": {},
  "CAA alone": { caaAccountAndMethod: true },
  "CAA, zone signed at home": BOUND,
  DANE: { dane: true },
  "MTA-STS": { mtaStsEnforce: true },
  "MTA-STS, CAA, zone signed at home": { ...BOUND, mtaStsEnforce: true },
  ECH: { echKeyAtBox: true },
  everything: DEFENDED,
  ...Object.fromEntries(
    HOLDINGS.map((held) => [`everything, but he holds the ${held}`, { ...DEFENDED, operatorHolds: [held] }]),
  ),
  "he holds the name-server": { operatorHolds: ["name-server"] },
}

test("the verdict of every kind of route under every kind of fact is the one on file", () => {
  const lines = Object.entries(KINDS).flatMap(([kind, judged]) => [
    `# ${kind}`,
    ...Object.entries(KNOWN).map(([name, known]) => verdictLine(name, judged(facts(known)))),
    "",
  ])
  const heading = `${" ".repeat(50)}${POWERS.map((power) => power.padEnd(12)).join("")}`
  expectGolden("test/vectors/verdicts.txt", [heading, ...lines].join("\n"))
})

function verdictLine(name: string, { findings, warnings }: Verdict): string {
  const levels = POWERS.map((power) => levelWord(findings[power]).padEnd(12))
  return `${name.padEnd(50)}${levels.join("")}${findings.impersonate.because} ${warnings.join(" ")}`.trimEnd()
}

describe("over all facts there could be,", () => {
  const anyFacts: fc.Arbitrary<Facts> = fc.record({
    operatorHolds: fc.subarray([...HOLDINGS]),
    caaAccountAndMethod: fc.boolean(),
    zoneSignedAtHome: fc.boolean(),
    mtaStsEnforce: fc.boolean(),
    dane: fc.boolean(),
    echKeyAtBox: fc.boolean(),
  })
  const anyKind = fc.constantFrom(...Object.values(KINDS))
  const anyDefence = fc.constantFrom("caaAccountAndMethod", "zoneSignedAtHome", "mtaStsEnforce", "dane", "echKeyAtBox")

  test("no power grows by a defence more", () => {
    fc.assert(
      fc.property(anyKind, anyFacts, anyDefence, (judged, known, defence) => {
        const without = judged({ ...known, [defence]: false })
        const withIt = judged({ ...known, [defence]: true })
        for (const power of POWERS)
          expect(weight(withIt.findings[power])).toBeLessThanOrEqual(weight(without.findings[power]))
      }),
    )
  })

  test("no power shrinks by a thing more that the operator holds", () => {
    fc.assert(
      fc.property(anyKind, anyFacts, fc.constantFrom(...HOLDINGS), (judged, known, held) => {
        const before = judged(known)
        const after = judged({ ...known, operatorHolds: [...known.operatorHolds, held] })
        for (const power of POWERS)
          expect(weight(after.findings[power])).toBeGreaterThanOrEqual(weight(before.findings[power]))
      }),
    )
  })

  test("an attack always has something that stands against it, and what is impossible has nothing", () => {
    fc.assert(
      fc.property(anyKind, anyFacts, (judged, known) => {
        for (const finding of Object.values(judged(known).findings)) {
          if (finding.level === "by-attack") expect(finding.against).not.toEqual([])
          if (finding.level === "no") expect(finding.against).toEqual([])
        }
      }),
    )
  })

  test("every reason, every defence and every warning occurs", () => {
    const all = everyFacts().flatMap((known) => Object.values(KINDS).map((judged) => judged(known)))
    const found = all.flatMap((verdict) => Object.values(verdict.findings))
    expect([...new Set(found.map((finding) => finding.because))].toSorted()).toEqual(REASONS.toSorted())
    expect([...new Set(found.flatMap((finding) => finding.against))].toSorted()).toEqual(DEFENCES.toSorted())
    expect([...new Set(all.flatMap((verdict) => verdict.warnings))].toSorted()).toEqual(Object.keys(WARNINGS))
  })
})

/** Part of what passes is less than all of it, and an attack on all of it is less than reading a part without one. */
function weight({ level, extent }: Finding): number {
  return { no: 0, "by-attack": 2, yes: 4 }[level] - (level !== "no" && extent === "some" ? 1 : 0)
}

function everyFacts(): readonly Facts[] {
  const flags = ["caaAccountAndMethod", "zoneSignedAtHome", "mtaStsEnforce", "dane", "echKeyAtBox"] as const
  const combinations = Array.from({ length: 1 << flags.length }, (_, bits) =>
    Object.fromEntries(flags.map((flag, place) => [flag, (bits & (1 << place)) !== 0])),
  )
  const holdings = [[], ...HOLDINGS.map((held) => [held])]
  return combinations.flatMap((known) =>
    holdings.map((operatorHolds) => ({ ...NOTHING_CHECKED, ...known, operatorHolds })),
  )
}
