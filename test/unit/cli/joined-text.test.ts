/** What an owner is told to publish for mail: her own host where the bytes pass end to end, the relay where it is the end. */
import { expect, test } from "@jest/globals"
import { joinedText } from "../../../src/cli/joined-text.ts"

const told = (mode: string) => {
  const verdict = { friend: "alice", listener: "smtp", mode, findings: { read: { level: "by-attack" as const } } }
  const domains = ["mx.alice.example", "*.alice.example"]
  const shows = { relay: "relay.bob.example", domains, verdicts: [verdict], entrances: [] }
  const lines = joinedText({ file: "box.yaml", shows, services: ["smtp"] }).split("\n")
  return lines.filter((line) => line.includes("MX")).map((line) => line.trim())
}

test("senders are to ask for the owner's host, or for the relay", () => {
  expect(told("dedicated")).toEqual(["alice.example.  MX 10 mx.alice.example."])
  expect(told("peer mail")).toEqual(["mx.alice.example.  MX 10 relay.bob.example."])
})
