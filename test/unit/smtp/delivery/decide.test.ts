import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { accepted, answerOf, failed, type HopFacts } from "../../../../src/smtp/delivery/answer.ts"
import {
  decide,
  DELAY_NOTICE_MS,
  expiry,
  NOTICE_LIFETIME_MS,
  type Circumstances,
} from "../../../../src/smtp/delivery/decide.ts"
import { OWN_MAIL } from "../../../../src/smtp/delivery/target.ts"
import type { KeptMessage, KeptRecipient, MessageId, Notify } from "../../../../src/store/spool.ts"
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../../support/delivery.ts"
import { envelope } from "../../../support/spool.ts"

const ARRIVED = 1_700_000_000_000
const HOP: HopFacts = { host: "127.0.0.1:25", name: undefined, tls: undefined, proof: undefined, dsn: true }
const TAKEN = accepted("250 2.0.0 Ok", HOP)
const REFUSED = answerOf("550 5.1.1 No", HOP)
const LATER = answerOf("450 4.2.0 Not now", HOP)
const AWAY = failed("later", "HOME_AWAY", "connection refused")

describe("what is written down", () => {
  test("accepted and refused are final, with the next hop's words", () => {
    expect(decided(TAKEN).outcome.attempt).toMatchObject({ at: "done", how: "delivered", lastReply: "250 2.0.0 Ok" })
    expect(decided(REFUSED).outcome.attempt).toMatchObject({ at: "done", how: "refused", lastReply: "550 5.1.1 No" })
  })

  test("later is a try more and a longer wait", () => {
    for (const [tries, minutes] of [
      [0, 5],
      [1, 10],
      [2, 20],
      [9, 60],
    ] as const) {
      const { attempt } = decided(LATER, { recipient: waiting({ tries }) }).outcome
      expect(attempt).toMatchObject({ at: "waiting", tries: tries + 1, until: ARRIVED + minutes * MINUTE_MS })
    }
  })

  test("a destination that is backed off says until when, and costs no try", () => {
    const notBefore = ARRIVED + 7 * MINUTE_MS
    expect(decided(AWAY, { at: { notBefore, tried: false } }).outcome.attempt).toEqual({
      at: "waiting",
      tries: 0,
      until: notBefore,
      lastReply: "The next host is not answering (connection refused)",
    })
  })

  test("the last wait ends with the lifetime, and then it is over", () => {
    const end = ARRIVED + 21 * DAY_MS
    expect(decided(LATER, { at: { now: end - MINUTE_MS } }).outcome.attempt).toMatchObject({ until: end })
    expect(decided(LATER, { at: { now: end } }).outcome.attempt).toMatchObject({ at: "done", how: "expired" })
    expect(decided(TAKEN, { at: { now: end } }).outcome.attempt).toMatchObject({ at: "done", how: "delivered" })
  })

  test("a notice of ours lives shorter than mail, and never longer", () => {
    expect(expiry(message({ friend: OWN_MAIL }), 21 * DAY_MS)).toBe(ARRIVED + NOTICE_LIFETIME_MS)
    expect(expiry(message({ friend: OWN_MAIL }), DAY_MS)).toBe(ARRIVED + DAY_MS)
  })
})

describe("who is told", () => {
  test.each<[string, Notify[] | undefined, string | undefined]>([
    ["without NOTIFY", undefined, "failed"],
    ["FAILURE", ["FAILURE"], "failed"],
    ["SUCCESS alone", ["SUCCESS"], undefined],
    ["NEVER", ["NEVER"], undefined],
  ])("of a refusal: %s", (_, notify, what) => {
    expect(decided(REFUSED, { recipient: waiting({ notify }) }).notice?.what).toBe(what)
    const end = ARRIVED + 21 * DAY_MS
    const expired = decided(LATER, { recipient: waiting({ notify }), at: { now: end } })
    expect(expired.notice?.what).toBe(what && "expired")
  })

  test("of success only who asked, and only where the next hop will not tell", () => {
    const asked = waiting({ notify: ["SUCCESS"] })
    expect(decided(TAKEN, { recipient: asked }).notice).toBeUndefined()
    const silent = accepted("250 Ok", { ...HOP, dsn: false })
    expect(decided(silent, { recipient: asked }).notice?.what).toBe("relayed")
    expect(decided(silent).notice).toBeUndefined()
  })

  test("of a delay exactly once, however often it is tried and whatever brings the tries forward", () => {
    const asked = waiting({ notify: ["DELAY"] })
    const steps = fc.array(
      fc.record({ earlyMs: fc.nat(3 * HOUR_MS), dice: fc.double({ min: 0, max: 0.99, noNaN: true }) }),
      { minLength: 60, maxLength: 90 },
    )
    fc.assert(
      fc.property(steps, (tries) => {
        let recipient = asked
        let now = ARRIVED
        let notices = 0
        for (const { earlyMs, dice } of tries) {
          const { outcome, notice } = decided(LATER, { recipient, at: { now, dice: () => dice } })
          if (notice) notices += 1
          if (outcome.attempt.at !== "waiting") throw new Error(outcome.attempt.at)
          // The friend is woken: what waits is brought forward.
          const woken = Math.max(now + 1, outcome.attempt.until - earlyMs)
          const until = earlyMs % 3 === 0 ? woken : outcome.attempt.until
          recipient = { ...recipient, attempt: { ...outcome.attempt, until } }
          now = until
        }
        const told = now > ARRIVED + DELAY_NOTICE_MS
        expect(notices).toBe(told ? 1 : 0)
      }),
    )
  })
})

type Different = { readonly recipient?: KeptRecipient; readonly at?: Partial<Circumstances> }

function decided(answer: Parameters<typeof decide>[2], { recipient = waiting(), at = {} }: Different = {}) {
  const usual = { now: ARRIVED, dice: () => 0, mailLifetimeMs: 21 * DAY_MS, notBefore: undefined, tried: true }
  return decide(message(), recipient, answer, { ...usual, ...at })
}

function message(about: Partial<KeptMessage> = {}): KeptMessage {
  return { ...envelope({ receivedAt: ARRIVED }), id: "test" as MessageId, sizeBytes: 10, recipients: [], ...about }
}

function waiting({ tries = 0, notify }: { tries?: number; notify?: Notify[] | undefined } = {}): KeptRecipient {
  const attempt = { at: "waiting", until: ARRIVED, tries, lastReply: undefined } as const
  return { address: "dave@dave.example", notify, orcpt: undefined, attempt }
}
