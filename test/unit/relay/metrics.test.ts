import { describe, expect, test } from "@jest/globals"
import { Accounts } from "../../../src/relay/accounts.ts"
import { MailAccounts } from "../../../src/relay/mail-accounts.ts"
import { PreludeAccounts } from "../../../src/relay/prelude-accounts.ts"
import { metricsOf } from "../../../src/relay/metrics.ts"
import { metricsText } from "../../../src/relay/metrics-text.ts"
import { desk, routesOf, routeTo, type Desk } from "../../support/delivery.ts"
import { nextHop } from "../../support/next-hop.ts"
import { keep } from "../../support/spool.ts"

describe("a relay's metrics", () => {
  test("say how much waits for each friend, and how long the oldest has been here", async () => {
    const mailAccounts = new MailAccounts()
    await using at = await desk({ routeOf: () => undefined })
    const now = at.clock.now()
    const first = await keep(at.spool, "12345", { receivedAt: now - 90_000 })
    await keep(at.spool, "12345", { receivedAt: now - 30_000 })
    await keep(at.spool, "12345", { friend: "(relay)", receivedAt: now - 10_000 })
    await at.spool.hold(first, "asked to")
    expect(await shown(at, mailAccounts, ["dave", "alice"])).toEqual([
      'waypost_spool_messages{friend="dave"} 2',
      'waypost_spool_messages{friend="alice"} 0',
      'waypost_spool_messages{friend="(relay)"} 1',
      'waypost_spool_messages{friend="(tls-reports)"} 0',
      'waypost_spool_bytes{friend="dave"} 10',
      'waypost_spool_bytes{friend="alice"} 0',
      'waypost_spool_bytes{friend="(relay)"} 5',
      'waypost_spool_bytes{friend="(tls-reports)"} 0',
      'waypost_spool_oldest_seconds{friend="dave"} 90',
      'waypost_spool_oldest_seconds{friend="alice"} 0',
      'waypost_spool_oldest_seconds{friend="(relay)"} 10',
      'waypost_spool_oldest_seconds{friend="(tls-reports)"} 0',
    ])
  })

  test("count what came of mail by fault, in no words of a stranger's", async () => {
    const mailAccounts = new MailAccounts()
    await using hop = await nextHop({
      on: (command) => (command.startsWith("RCPT TO:<later") ? "451 4.3.0 a stranger's words" : undefined),
    })
    await using at = await desk({
      routeOf: routesOf(routeTo(hop)),
      answered: (friend, answer) => mailAccounts.add(friend, answer),
    })
    const to = (address: string) => ({ recipients: [{ address, notify: undefined, orcpt: undefined }] })
    await at.gone(await at.mail())
    await at.gone(await at.mail())
    await at.deferred(await at.mail(to("later@dave.example")))
    const outcomes = (await shown(at, mailAccounts, [])).filter((line) => line.startsWith("waypost_mail"))
    expect(outcomes).toEqual([
      'waypost_mail_outcomes_total{friend="dave",outcome="delivered",reason=""} 2',
      'waypost_mail_outcomes_total{friend="dave",outcome="later",reason="HOME_SAYS_LATER"} 1',
      'waypost_mail_tls_total{friend="dave",tls="none"} 2',
    ])
  })
})

test("a shared port's senders are counted by friend and by how they named him", async () => {
  await using at = await desk({ routeOf: () => undefined })
  const preludes = new PreludeAccounts()
  preludes.count("smtp", "alice", "named", "carried")
  preludes.count("smtp", undefined, "without-name", "peer")
  preludes.count("smtp", undefined, "without-name", "peer")
  preludes.took("smtp", "alice", "without-name")
  const { spool, clock } = at
  const about = {
    accounts: new Accounts(),
    mailAccounts: new MailAccounts(),
    preludes,
    spool,
    outgoing: { outcomes: () => [] },
    traffic: { all: () => [] },
    kernel: { counts: async () => [] },
    friends: [],
    validation: { known: undefined },
  }
  const lines = metricsText(await metricsOf({ ...about, now: clock.now() })).split("\n")
  expect(lines.filter((line) => /^waypost_(preludes|otherwise)/.test(line))).toEqual([
    'waypost_preludes_total{listener="smtp",friend="alice",sender="named",outcome="carried"} 1',
    'waypost_preludes_total{listener="smtp",friend="",sender="without-name",outcome="peer"} 2',
    'waypost_otherwise_mails_total{listener="smtp",friend="alice",sender="without-name"} 1',
  ])
})

async function shown(at: Desk, mailAccounts: MailAccounts, friends: readonly string[]): Promise<readonly string[]> {
  const { spool, clock } = at
  const validation = { known: undefined }
  const metrics = await metricsOf({
    validation,
    accounts: new Accounts(),
    preludes: new PreludeAccounts(),
    mailAccounts,
    spool,
    outgoing: { outcomes: () => [] },
    traffic: { all: () => [] },
    kernel: { counts: async () => [] },
    friends,
    now: clock.now(),
  })
  return metricsText(metrics)
    .split("\n")
    .filter((line) => /^waypost_(spool|mail)/.test(line))
}
