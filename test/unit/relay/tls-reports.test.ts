/** Counting, writing down and telling, with the day in the test's hands; and what delivery says of its next hops. */
import { gunzipSync } from "node:zlib"
import { describe, expect, test } from "@jest/globals"
import type { Resolved } from "../../../src/dns/resolver.ts"
import { TlsReports, REPORT_UNTIL_MS } from "../../../src/relay/tls-reports.ts"
import type { TlsOutcome } from "../../../src/smtp/tls-report/outcome.ts"
import type { StsPolicy } from "../../../src/smtp/trust/sts-policy.ts"
import {
  BOB,
  checked,
  DAY_MS,
  desk,
  HOUR_MS,
  MINUTE_MS,
  routeFor,
  routesOf,
  type Desk,
} from "../../support/delivery.ts"
import { eventually } from "../../support/eventually.ts"
import { keyPair } from "../../support/key-pair.ts"
import { nextHop, type NextHopScript } from "../../support/next-hop.ts"
import { freePort, scratchFolder } from "../../support/program.ts"
import { readMime } from "../../support/mime.ts"
import { contentOf } from "../../support/spool.ts"

const DAVE = checked("dave.example")
const DANE = { type: "tlsa", lines: ["3 1 1 abab"], mx: [] } as const
const OUTCOME: TlsOutcome = { domain: DAVE, policy: DANE, failure: undefined }
const WANTED = "v=TLSRPTv1; rua=mailto:tls@elsewhere.example"

describe("reports on TLS", () => {
  test("go out the day after, to who asks for them, once, also when the relay was started again", async () => {
    await using at = await quietDesk()
    await using folder = await scratchFolder()
    const first = reports(at, folder.path, async () => records(WANTED))
    first.count(OUTCOME)
    await first.stop()
    const second = reports(at, folder.path, async () => records(WANTED))
    second.count(OUTCOME)
    await at.clock.turn(MINUTE_MS)
    expect(await told(at)).toEqual([])
    await at.clock.turn(DAY_MS + 2 * HOUR_MS)
    const [mail] = await eventually("it is kept", async () => ((await told(at)).length === 1 ? told(at) : undefined))
    if (!mail) throw new Error("there is one")
    expect(mail).toMatchObject({ from: "", recipients: [{ address: "tls@elsewhere.example", notify: ["NEVER"] }] })
    const part = readMime(await contentOf(at.spool, mail.id)).parts[1]
    const report: unknown = JSON.parse(gunzipSync(Buffer.from(part?.text() ?? "", "base64")).toString())
    expect(report).toMatchObject({
      "contact-info": "postmaster@bob.example",
      policies: [{ summary: { "total-successful-session-count": 2, "total-failure-session-count": 0 } }],
    })
    await at.clock.turn(DAY_MS)
    await second.stop()
    expect(await told(at)).toHaveLength(1)
  })

  test("are for nobody where none are wanted, or the operator names no contact", async () => {
    await using at = await quietDesk()
    for (const [text, contact] of [
      ["v=spf1 -all", "postmaster@bob.example"],
      [WANTED, undefined],
    ] as const) {
      await using folder = await scratchFolder()
      const counting = reports(
        at,
        folder.path,
        async () => records(text),
        () => contact,
      )
      counting.count(OUTCOME)
      await at.clock.turn(2 * DAY_MS)
      await counting.stop()
    }
    expect(await told(at)).toEqual([])
  })

  test("wait for a resolver that fails, and not for ever", async () => {
    await using at = await quietDesk()
    await using folder = await scratchFolder()
    let answer: Resolved = { kind: "failed", because: "SERVFAIL" }
    const counting = reports(at, folder.path, async () => answer)
    counting.count(OUTCOME)
    await at.clock.turn(DAY_MS + 3 * HOUR_MS)
    answer = records(WANTED)
    await at.clock.turn(MINUTE_MS)
    await eventually("it is kept", async () => (await told(at)).length === 1)
    answer = { kind: "failed", because: "SERVFAIL" }
    counting.count(OUTCOME)
    await at.clock.turn(2 * DAY_MS + REPORT_UNTIL_MS)
    answer = records(WANTED)
    await at.clock.turn(MINUTE_MS)
    await counting.stop()
    expect(await told(at)).toHaveLength(1)
  })
})

describe("delivery tells what came of TLS", () => {
  const policy: StsPolicy = {
    mode: "enforce",
    mx: [{ name: checked("localhost"), wildcard: false }],
    maxAgeSeconds: 60,
  }
  const dane = (dataHex: string) =>
    ({
      kind: "dane",
      names: [checked("localhost")],
      records: [{ usage: 3, selector: 1, matching: 1, dataHex }],
    }) as const
  const sts = { kind: "certified", by: "mta-sts", policy } as const

  test.each([
    ["another key than its record has", { tls: "localhost" }, dane("ab".repeat(32)), "tlsa-invalid"],
    ["no STARTTLS", {}, dane("ab".repeat(32)), "starttls-not-supported"],
    ["what is not TLS", { tls: "broken" }, dane("ab".repeat(32)), "validation-failure"],
    ["a certificate of nobody", { tls: "localhost" }, sts, "certificate-not-trusted"],
    [
      "a host that its policy does not name",
      {},
      { kind: "no-demand", code: "HOME_TLS_FAILED", because: "not named", broken: policy },
      "validation-failure",
    ],
  ] as const)("%s", async (_, { tls }: { tls?: string }, demand, result) => {
    const script: NextHopScript = tls === undefined ? {} : { tls: tls === "broken" ? "broken" : await keyPair(tls) }
    await using hop = await nextHop(script)
    const outcomes: TlsOutcome[] = []
    const to = { kind: "tcp", to: [{ host: checked("localhost"), port: hop.port }] } as const
    await using at = await desk({
      routeOf: routesOf(routeFor(to, "published")),
      published: async () => demand,
      judged: (outcome) => void outcomes.push(outcome),
    })
    await at.deferred(await at.mail())
    expect(outcomes).toMatchObject([{ domain: DAVE, failure: { result, host: "localhost" } }])
  })
})

function quietDesk(): Promise<Desk> {
  return freePort().then((port) =>
    desk({
      routeOf: routesOf(routeFor({ kind: "tcp", to: [{ host: checked("localhost"), port }] }, "published")),
      resolver: async () => ({ kind: "failed", why: "it does not answer" }),
    }),
  )
}

const told = (at: Desk) => at.spool.list("(tls-reports)")

function records(text: string): Resolved {
  return { kind: "records", secure: false, records: [{ name: "", ttlSeconds: 60, type: "TXT", text }] }
}

function reports(
  { spool, clock, log }: Desk,
  stateFolder: string,
  resolve: () => Promise<Resolved>,
  contact: () => string | undefined = () => "postmaster@bob.example",
) {
  const dns = { resolve }
  return new TlsReports({
    stateFolder,
    name: BOB,
    contact,
    dns,
    spool,
    kept: () => {},
    clock,
    log,
    free: undefined,
  })
}
