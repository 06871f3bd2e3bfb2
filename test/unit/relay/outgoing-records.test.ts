import { expect, test } from "@jest/globals"
import { senderRecordsText } from "../../../src/cli/records-text.ts"
import { senderRecords } from "../../../src/relay/outgoing-records.ts"
import { testConfig } from "../../support/relay.ts"

const config = (friend: string) =>
  testConfig(
    `
listeners:
  smtp: { bind: ["203.0.113.7:25", "[2001:db8::7]:25", "203.0.113.1:25"], protocol: smtp }
  tunnel: { bind: "203.0.113.1:7443", protocol: tunnel }
friends:
  alice: { domains: [alice.example, mx.alice.example], addresses: ["203.0.113.7", "2001:db8::7"], ${friend} }
`,
    "/nowhere",
  )

test("a friend who sends is told what to publish, what to ask for, and the name for EHLO", () => {
  const [alice] = senderRecords(config("outgoing-mail: true, routes: { smtp: { mode: dedicated, to: box } }"))
  if (!alice) throw new Error("Alice may send")
  expect(senderRecordsText([alice], 200).split("\n").slice(0, 9)).toEqual([
    "; alice: mail that leaves from 203.0.113.7, 2001:db8::7",
    "mx.alice.example.  A     203.0.113.7",
    "mx.alice.example.  AAAA  2001:db8::7",
    'alice.example.     TXT   "v=spf1 ip4:203.0.113.7 ip6:2001:db8::7 -all"',
    'mx.alice.example.  TXT   "v=spf1 ip4:203.0.113.7 ip6:2001:db8::7 -all"',
    "; To be asked of whoever gave these addresses to the relay:",
    "; 7.113.0.203.in-addr.arpa. PTR mx.alice.example.",
    "; 7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR mx.alice.example.",
    "; The mail server at home says EHLO mx.alice.example (Postfix: smtp_helo_name; Exim: helo_data).",
  ])
})

test("where visitors of her mail host come by another address, its name stays theirs", () => {
  expect(senderRecords(config("outgoing-mail: true"))).toMatchObject([{ ehlo: "out.alice.example" }])
})

test("who may not send is told nothing", () => {
  expect(senderRecords(config("routes: { smtp: { mode: dedicated, to: box } }"))).toEqual([])
})
