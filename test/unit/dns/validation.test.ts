import { describe, expect, test } from "@jest/globals"
import type { Resolved, Resolver } from "../../../src/dns/resolver.ts"
import { TEST_AGAIN_MS, TEST_AGAIN_OFF_MS, testValidation, ValidationWatch } from "../../../src/dns/validation.ts"
import { socketAddress } from "../../../src/names/endpoint.ts"
import { handClock } from "../../support/hand-clock.ts"
import { keptLog } from "../../support/kept-log.ts"

const VALIDATED: Resolved = { kind: "records", records: [], secure: true }
const NOT_VALIDATED: Resolved = { kind: "records", records: [], secure: false }
const SERVFAIL: Resolved = { kind: "failed", because: "127.0.0.1 answers with SERVFAIL", rcode: 2 }
const SILENCE: Resolved = { kind: "failed", because: "no answer from 127.0.0.1 in 3000 ms" }
const FORMERR: Resolved = { kind: "failed", because: "127.0.0.1 answers with FORMERR", rcode: 1 }

describe("a resolver that is tested", () => {
  test.each<[string, Resolved, string]>([
    ["validates", VALIDATED, "on"],
    ["does not validate", NOT_VALIDATED, "off"],
    ["knows no EDNS", FORMERR, "off"],
    ["is not there", SILENCE, "off"],
    // An attacker can bring this about: it must not switch protection off.
    ["fails", SERVFAIL, "on"],
  ])("that %s: %j", async (_, answer, kind) => {
    expect(await testValidation(resolver(() => answer))).toMatchObject({ kind })
  })

  test("elsewhere than on this machine is off, whatever it says, unless it was declared as trusted", async () => {
    const asked: Resolver = { ...resolver(() => VALIDATED), disbelieved: true }
    expect(await testValidation(asked)).toMatchObject({
      kind: "off",
      because: expect.stringContaining("not on this machine"),
    })
  })
})

describe("the watch over a resolver", () => {
  test("says once that DANE is off and why, and that it is on again", async () => {
    let answer: Resolved = NOT_VALIDATED
    const clock = handClock()
    const log = keptLog()
    const watch = new ValidationWatch(
      resolver(() => answer),
      { clock, log },
    )
    expect(watch.known).toBeUndefined()
    expect(await watch.state()).toMatchObject({ kind: "off" })
    await clock.turn(3 * TEST_AGAIN_OFF_MS)
    expect(log.all("DANE is off").map(({ because }) => because)).toEqual(["the resolver 127.0.0.1 does not validate"])
    answer = VALIDATED
    await clock.turn(TEST_AGAIN_OFF_MS)
    expect(watch.known).toEqual({ kind: "on" })
    expect(log.all("DANE is on")).toHaveLength(1)
    watch.close()
  })

  test("once it has worked, silence switches nothing off: mail waits", async () => {
    let answer: Resolved = VALIDATED
    const clock = handClock()
    const watch = new ValidationWatch(
      resolver(() => answer),
      { clock, log: keptLog() },
    )
    await watch.state()
    answer = SILENCE
    await clock.turn(TEST_AGAIN_MS)
    expect(watch.known).toEqual({ kind: "on" })
    answer = NOT_VALIDATED
    await clock.turn(TEST_AGAIN_MS)
    expect(watch.known).toMatchObject({ kind: "off" })
    watch.close()
  })
})

function resolver(answer: () => Resolved): Resolver {
  const server = socketAddress("127.0.0.1:53")
  return { servers: server ? [server] : [], disbelieved: false, resolve: async () => answer() }
}
