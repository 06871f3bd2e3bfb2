import { expect, test } from "@jest/globals"
import {
  counterName,
  removalText,
  rulesetText,
  tableName,
  type KernelRoute,
} from "../../../../src/net/kernel/ruleset.ts"
import { at } from "../../../support/loopback.ts"

const FOUR: KernelRoute = {
  friend: "alice",
  listener: "ssh-2",
  own: at("203.0.113.7", 22),
  to: at("10.0.0.5", 2222),
}
const SIX: KernelRoute = { ...FOUR, own: at("2001:db8::7", 22), to: at("fd00::5", 2222) }

test("one transaction names our table alone, and begins anew where a relay was killed", () => {
  const lines = rulesetText("waypost_0123", [FOUR, SIX], true).trimEnd().split("\n")
  expect(lines.slice(0, 3)).toEqual([
    "add table inet waypost_0123",
    "delete table inet waypost_0123",
    "add table inet waypost_0123",
  ])
  expect(
    lines.filter((line) => !/^(add|delete|flush) (table|chain|counter|rule) inet waypost_0123( |$)/.test(line)),
  ).toEqual([])
})

test("who begins at the own address is led to the server of its family, in the relay's name, and counted both ways", () => {
  const rules = rulesetText("t", [FOUR, SIX], false)
    .split("\n")
    .filter((line) => line.startsWith("add rule"))
    .map((line) => line.slice("add rule inet t ".length))
  const begins = "tcp flags & (fin | syn | rst | ack) == syn counter name route.alice.ssh-2.connections"
  const asked4 = "meta l4proto tcp ct original ip daddr 203.0.113.7 ct original proto-dst 22"
  expect(rules.slice(0, 5)).toEqual([
    `arrive ip daddr 203.0.113.7 tcp dport 22 ${begins} dnat ip to 10.0.0.5:2222`,
    `start-here ip daddr 203.0.113.7 tcp dport 22 ${begins} dnat ip to 10.0.0.5:2222`,
    `pass ${asked4} ct direction original counter name route.alice.ssh-2.to-backend`,
    `pass ${asked4} ct direction reply counter name route.alice.ssh-2.to-visitor`,
    `leave ${asked4} ct status dnat masquerade`,
  ])
  expect(rules[5]).toBe(`arrive ip6 daddr 2001:db8::7 tcp dport 22 ${begins} dnat ip6 to [fd00::5]:2222`)
})

test("a reload empties the chains and keeps the counters, so that they go on", () => {
  const lines = rulesetText("t", [FOUR], false).split("\n")
  expect(lines.filter((line) => line.startsWith("delete"))).toEqual([])
  expect(lines.filter((line) => line.startsWith("flush chain"))).toHaveLength(4)
  expect(lines).toContain(`add counter inet t ${counterName(FOUR, "to-backend")}`)
})

test("it can be removed where it is not", () => {
  expect(removalText("t")).toBe("add table inet t\ndelete table inet t\n")
})

test("two relays on one machine have two tables, with names that nft takes", () => {
  const [one, two] = [tableName("/var/lib/waypost"), tableName("/var/lib/waypost2")]
  expect(one).toMatch(/^waypost_[0-9a-f]{12}$/)
  expect(two).not.toBe(one)
})
