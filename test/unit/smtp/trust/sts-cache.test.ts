import { describe, expect, test } from "@jest/globals"
import type { Resolved } from "../../../../src/dns/resolver.ts"
import { STS_DOMAINS_MAX, STS_FETCH_AGAIN_MS, StsCache } from "../../../../src/smtp/trust/sts-cache.ts"
import { checked } from "../../../support/delivery.ts"
import { handClock } from "../../../support/hand-clock.ts"
import { keptLog } from "../../../support/kept-log.ts"

const DAVE = checked("dave.example")
const DAY_MS = 86_400_000
const WEEK = "version: STSv1\nmode: enforce\nmx: mx.dave.example\nmax_age: 604800\n"

describe("a policy", () => {
  test("is fetched once for each id, and kept over a restart", async () => {
    const at = world()
    expect(await at.cache().policyFor(DAVE)).toMatchObject({ mode: "enforce" })
    expect(await at.cache().policyFor(DAVE)).toMatchObject({ mode: "enforce" })
    expect(at.fetched).toEqual([DAVE])
    at.record("2")
    at.serve(WEEK.replace("enforce", "testing"))
    expect(await at.cache().policyFor(DAVE)).toMatchObject({ mode: "testing" })
    expect(at.fetched).toEqual([DAVE, DAVE])
  })

  test("is asked for once by many deliveries at the same time", async () => {
    const at = world()
    const cache = at.cache()
    await Promise.all(Array.from({ length: 20 }, () => cache.policyFor(DAVE)))
    expect(at.fetched).toEqual([DAVE])
  })

  test.each<[string, Resolved]>([
    ["the record disappears", { kind: "none", secure: false, noSuchName: true }],
    ["the resolver fails", { kind: "failed", because: "SERVFAIL" }],
  ])("stays in force while %s, for as long as it said, and no longer", async (_, answer) => {
    const at = world()
    const cache = at.cache()
    await cache.policyFor(DAVE)
    at.answer(answer)
    await at.clock.turn(6 * DAY_MS)
    expect(await cache.policyFor(DAVE)).toMatchObject({ mode: "enforce" })
    await at.clock.turn(DAY_MS)
    expect(await cache.policyFor(DAVE)).toBeUndefined()
  })

  test("stays in force while its web server fails, or serves something else under a new id", async () => {
    const at = world()
    const cache = at.cache()
    await cache.policyFor(DAVE)
    at.record("2")
    for (const page of [undefined, "<html>"]) {
      at.serve(page)
      expect(await cache.policyFor(DAVE)).toMatchObject({ mode: "enforce" })
      await at.clock.turn(STS_FETCH_AGAIN_MS)
    }
    expect(at.fetched).toHaveLength(3)
    expect(at.log.all("no MTA-STS policy")).toHaveLength(2)
  })

  test("that cannot be had is not asked for again at once", async () => {
    const at = world()
    at.serve(undefined)
    const cache = at.cache()
    expect(await cache.policyFor(DAVE)).toBeUndefined()
    expect(await cache.policyFor(DAVE)).toBeUndefined()
    expect(at.fetched).toHaveLength(1)
    await at.clock.turn(STS_FETCH_AGAIN_MS)
    at.serve(WEEK)
    expect(await cache.policyFor(DAVE)).toMatchObject({ mode: "enforce" })
  })

  test("is renewed when its time is over, under the same id", async () => {
    const at = world()
    const cache = at.cache()
    await cache.policyFor(DAVE)
    await at.clock.turn(8 * DAY_MS)
    expect(await cache.policyFor(DAVE)).toMatchObject({ mode: "enforce" })
    expect(at.fetched).toHaveLength(2)
  })
})

test("what others wrote into the file is passed over", async () => {
  const at = world()
  for (const text of ["", "[1]", "null", `{"dave.example":{"id":1}}`, `{"dave.example":null,"a b":{}}`]) {
    at.file.text = text
    expect(await at.cache().policyFor(DAVE)).toMatchObject({ mode: "enforce" })
  }
})

test("of too many domains those used longest ago are forgotten", async () => {
  const at = world()
  const cache = at.cache()
  await cache.policyFor(DAVE)
  for (let n = 1; n < STS_DOMAINS_MAX; n++) await cache.policyFor(checked(`d${n}.example`))
  await cache.policyFor(DAVE)
  await cache.policyFor(checked("one.more.example"))
  const kept = Object.keys(JSON.parse(at.file.text ?? "{}") as object)
  expect(kept).toHaveLength(STS_DOMAINS_MAX)
  expect(kept).toContain(DAVE)
  expect(kept).not.toContain("d1.example")
})

function world() {
  let page: string | undefined = WEEK
  const record = (id: string): Resolved => ({
    kind: "records",
    secure: false,
    records: [{ name: "", ttlSeconds: 60, type: "TXT", text: `v=STSv1; id=${id};` }],
  })
  let dnsSays = record("1")
  const [clock, log, fetched] = [handClock(), keptLog(), [] as string[]]
  const file: { text: string | undefined } = { text: undefined }
  const fetch = async (domain: string): Promise<string> => {
    fetched.push(domain)
    if (page === undefined) throw new Error("status 503")
    return page
  }
  const store = { load: async () => file.text, save: async (text: string) => void (file.text = text) }
  return {
    clock,
    log,
    file,
    fetched,
    record: (id: string) => void (dnsSays = record(id)),
    answer: (answer: Resolved) => void (dnsSays = answer),
    serve: (text: string | undefined) => void (page = text),
    cache: () => new StsCache({ dns: { resolve: async () => dnsSays }, fetch, store, clock, log }),
  }
}
