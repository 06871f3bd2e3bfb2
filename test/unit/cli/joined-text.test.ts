/** What an owner is told to publish for mail: her own host where the bytes pass end to end, the relay where it is the end. */
import { expect, test } from "@jest/globals"
import { ageRecipient, type AgeRecipient } from "../../../src/names/age-recipient.ts"
import { joinedText } from "../../../src/cli/joined-text.ts"

const SEAL_TO = ageRecipient("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p") as AgeRecipient

const told = (mode: string, word = "MX") => {
  const verdict = { friend: "alice", listener: "smtp", mode, findings: { read: { level: "by-attack" as const } } }
  const domains = ["mx.alice.example", "*.alice.example"]
  const shows = { relay: "relay.bob.example", domains, verdicts: [verdict], entrances: [], seals: [] }
  const lines = joinedText({ file: "box.yaml", shows, services: ["smtp"], sealTo: SEAL_TO }).split("\n")
  return lines.filter((line) => line.includes(word)).map((line) => line.trim())
}

test("senders are to ask for the owner's host, or for the relay", () => {
  expect(told("dedicated")).toEqual(["alice.example.  MX 10 mx.alice.example."])
  expect(told("peer mail")).toEqual(["mx.alice.example.  MX 10 relay.bob.example."])
})

test("whoever's mail is kept by the relay is told whom it can be sealed to", () => {
  expect(told("dedicated", "seal:")).toEqual([])
  expect(told("peer mail", "seal:")).toEqual([`seal: ${SEAL_TO}`])
})
