/** What the owner of a box sees of how senders come to the port that he shares with another friend. */
import { expect, test } from "@jest/globals"
import { systemClock } from "../../../src/clock/clock.ts"
import { describeSenders, readSenders } from "../../../src/box/senders.ts"
import { startRelay } from "../../../src/relay/relay.ts"
import { boxAtHome } from "../../support/box-at-home.ts"
import { eventually } from "../../support/eventually.ts"
import { keyPair } from "../../support/key-pair.ts"
import { keptLog } from "../../support/kept-log.ts"
import { freePort, scratchFolder } from "../../support/program.ts"
import { testConfig } from "../../support/relay.ts"
import { SmtpClient, startMailHost } from "../../support/smtp-dialogue.ts"

test("Alice's box is told who came while it was away, and nothing of Dave's", async () => {
  await using folder = await scratchFolder()
  await using dave = await startMailHost({ tls: await keyPair("mx.dave.example") })
  const [smtp, tunnel] = [await freePort(), await freePort()]
  const config = testConfig(
    `
listeners:
  smtp: { bind: ["127.0.0.1:${smtp}"], protocol: smtp }
  tunnel: { bind: ["127.0.0.1:${tunnel}"], protocol: tunnel }
friends:
  alice: { domains: [mx.alice.example], routes: { smtp: { mode: dedicated, to: box } } }
  dave: { domains: [mx.dave.example], routes: { smtp: { mode: dedicated, to: "127.0.0.1:${dave.port}" } } }
`,
    folder.path,
  )
  const relay = await startRelay(config, { clock: systemClock, log: keptLog() })
  await using _ = { [Symbol.asyncDispose]: () => relay.stop(0) }
  for (const servername of ["mx.alice.example", "mx.dave.example", "mx.alice.example"]) {
    using carol = await SmtpClient.greeted(smtp)
    await carol.startTls({ servername })
    const carried = servername === "mx.dave.example"
    expect(await (carried ? carol.says("EHLO mx.sender.example") : carol.reply())).toMatch(
      carried ? /^250/ : /^421 4\.4\.1 /,
    )
  }
  await using home = await boxAtHome(config, "alice", { services: {}, onlyPort: tunnel })
  const senders = await eventually("the box is told", () => home.box.status()[0]?.senders)
  const labels = { listener: "smtp", sender: "home-away", outcome: "refused" }
  expect(senders).toEqual({ connections: [{ labels, connections: 2 }], mails: [] })
})

test("is told in a line: how much came end to end, and what ended at the relay", () => {
  const smtp = { listener: "smtp" }
  const seen = {
    connections: [
      { labels: { ...smtp, sender: "named", outcome: "carried" }, connections: 120 },
      { labels: { ...smtp, sender: "home-away", outcome: "peer" }, connections: 3 },
    ],
    mails: [
      { labels: { ...smtp, sender: "without-name" }, mails: 4 },
      { labels: { ...smtp, sender: "home-away" }, mails: 2 },
    ],
  }
  expect(readSenders(JSON.stringify(seen))).toEqual(seen)
  expect(describeSenders(seen)).toBe(
    "senders at shared ports: 120 carried, 3 came while this box was away; " +
      "6 mails ended at the relay (4 naming nobody, 2 while this box was away)",
  )
})

test.each(["", "[]", "{", '{"connections":[{"labels":{},"connections":-1}],"mails":[]}', '{"connections":[]}'])(
  "what is no count is not believed: %s",
  (json) => expect(readSenders(json)).toBeUndefined(),
)
