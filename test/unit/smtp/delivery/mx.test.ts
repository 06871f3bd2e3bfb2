import { expect, test } from "@jest/globals"
import { mxHops, MX_HOSTS_MAX, type MxRecords } from "../../../../src/smtp/delivery/mx.ts"
import { hopText } from "../../../../src/smtp/delivery/target.ts"
import { BOB, checked } from "../../../support/delivery.ts"

const CAROL = checked("sender.example")

test.each([
  ["best first", ["20 b.example", "10 a.example"], ["a.example:25", "b.example:25"]],
  ["without MX records the domain itself", [], ["sender.example:25"]],
  [
    "our own name and all that are no better are dropped",
    ["10 a.example", "20 relay.bob.example", "20 c.example", "30 d.example"],
    ["a.example:25"],
  ],
  ["our own name in other letters", ["10 a.example", "20 Relay.Bob.Example."], ["a.example:25"]],
  ["what is no host name is skipped", ["5 bad..name", "6 10.0.0.1", "10 a.example"], ["a.example:25"]],
  [
    "no more than a few",
    Array.from({ length: 9 }, (_, n) => `${n} m${n}.example`),
    Array.from({ length: MX_HOSTS_MAX }, (_, n) => `m${n}.example:25`),
  ],
])("%s", (_, records, hosts) => {
  const found = mxHops(CAROL, parsed(records), BOB, () => 0)
  expect("kind" in found ? found : found.map(hopText)).toEqual(hosts)
})

test.each([
  ["a null MX", ["0 ."], { kind: "refused", code: "DOMAIN_WITHOUT_MAIL" }],
  ["ourselves as the best MX", ["10 relay.bob.example", "20 b.example"], { kind: "refused", code: "NEXT_HOP_IS_US" }],
  ["nothing but nonsense", ["10 bad..name"], { kind: "refused", code: "DOMAIN_UNKNOWN" }],
])("%s ends it", (_, records, answer) => {
  expect(mxHops(CAROL, parsed(records), BOB, () => 0)).toMatchObject(answer)
})

test("a domain that does not exist is final, a resolver that fails is not", () => {
  expect(mxHops(CAROL, { kind: "no-such-domain" }, BOB, () => 0)).toMatchObject({
    kind: "refused",
    code: "DOMAIN_UNKNOWN",
  })
  expect(mxHops(CAROL, { kind: "failed", why: "SERVFAIL" }, BOB, () => 0)).toMatchObject({ kind: "later" })
})

test("equals change places by chance, and only equals", () => {
  const orders = new Set<string>()
  for (const first of [0.1, 0.9]) {
    const tosses = [first, 0.5, 0.5]
    const found = mxHops(
      CAROL,
      parsed(["10 a.example", "10 b.example", "20 c.example"]),
      BOB,
      () => tosses.shift() ?? 0,
    )
    orders.add("kind" in found ? found.kind : found.map(hopText).join(" "))
  }
  expect([...orders].toSorted()).toEqual([
    "a.example:25 b.example:25 c.example:25",
    "b.example:25 a.example:25 c.example:25",
  ])
})

function parsed(lines: readonly string[]): MxRecords {
  const records = lines.map((line) => {
    const [preference = "", exchange = ""] = line.split(" ")
    return { preference: Number(preference), exchange }
  })
  return { kind: "records", records }
}
