import { expect, test } from "@jest/globals"
import fc from "fast-check"
import type { Clock } from "../../../src/clock/clock.ts"
import { Deadlines, type Expiring } from "../../../src/net/deadlines.ts"

/** A clock for one timer, which the test turns. */
class Hands implements Clock {
  at = 0
  #wake: { readonly due: number; readonly wake: () => void } | undefined

  now(): number {
    return this.at
  }

  after(delayMs: number, wake: () => void): () => void {
    const mine = (this.#wake = { due: this.at + delayMs, wake })
    return () => void (this.#wake === mine && (this.#wake = undefined))
  }

  get running(): boolean {
    return this.#wake !== undefined
  }

  turnTo(until: number): void {
    while (this.#wake && this.#wake.due <= until) {
      const { due, wake } = this.#wake
      this.#wake = undefined
      this.at = due
      wake()
    }
    this.at = until
  }
}

class Waiting implements Expiring {
  dueTick = 0
  slotPlace = 0
  expiredAt: number | undefined
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  expired(): void {
    this.expiredAt = this.#clock.now()
  }
}

test("never fires early, and at most two resolutions late", () => {
  const delays = fc.array(fc.integer({ min: 0, max: 200_000 }), { minLength: 1, maxLength: 50 })
  fc.assert(
    fc.property(delays, (delaysMs) => {
      const clock = new Hands()
      const deadlines = new Deadlines(clock, 100)
      const waiting = delaysMs.map((delayMs) => {
        const each = new Waiting(clock)
        deadlines.set(each, delayMs)
        return each
      })
      clock.turnTo(300_000)
      for (const [index, delayMs] of delaysMs.entries()) {
        const at = waiting[index]?.expiredAt ?? NaN
        expect(at).toBeGreaterThanOrEqual(delayMs)
        expect(at).toBeLessThanOrEqual(delayMs + 200)
      }
      expect(clock.running).toBe(false)
    }),
  )
})

test("a deadline that is set again counts from then, and a forgotten one never fires", () => {
  const clock = new Hands()
  const deadlines = new Deadlines(clock, 100)
  const [again, forgotten] = [new Waiting(clock), new Waiting(clock)]
  deadlines.set(again, 1_000)
  deadlines.set(forgotten, 1_000)
  clock.turnTo(900)
  deadlines.set(again, 1_000)
  deadlines.forget(forgotten)
  deadlines.forget(forgotten)
  clock.turnTo(5_000)
  expect(again.expiredAt).toBeGreaterThanOrEqual(1_900)
  expect(forgotten.expiredAt).toBeUndefined()
})

test("no timer runs while nothing waits", () => {
  const clock = new Hands()
  const deadlines = new Deadlines(clock)
  const one = new Waiting(clock)
  expect(clock.running).toBe(false)
  deadlines.set(one, 1_000)
  expect(clock.running).toBe(true)
  deadlines.forget(one)
  expect(clock.running).toBe(false)
})

test("what expires may set itself anew or forget another that is due in the same moment", () => {
  const clock = new Hands()
  const deadlines = new Deadlines(clock, 100)
  const other = new Waiting(clock)
  let rounds = 0
  const first: Expiring = {
    dueTick: 0,
    slotPlace: 0,
    expired() {
      rounds += 1
      deadlines.forget(other)
      if (rounds < 3) deadlines.set(first, 100)
    },
  }
  deadlines.set(first, 500)
  deadlines.set(other, 500)
  clock.turnTo(10_000)
  expect(rounds).toBe(3)
  expect(other.expiredAt).toBeUndefined()
})
