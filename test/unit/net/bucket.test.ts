import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { Bucket, BURST_MS, GRANT_BYTES_MIN } from "../../../src/net/bucket.ts"
import { Deadlines } from "../../../src/net/deadlines.ts"
import { RateLine, type Held } from "../../../src/net/rate-line.ts"
import { handClock, type HandClock } from "../../support/hand-clock.ts"

const RATE = 1_000_000
const BURST_BYTES = (RATE * BURST_MS) / 1000

function limited(bytesPerSecond = RATE): { clock: HandClock; bucket: Bucket } {
  const clock = handClock()
  const bucket = new Bucket(clock)
  bucket.limit(bytesPerSecond)
  return { clock, bucket }
}

describe("a bucket", () => {
  test("gives a burst at first, then nothing until time passes", async () => {
    const { clock, bucket } = limited()
    expect(bucket.take(Infinity)).toBe(BURST_BYTES)
    expect(bucket.take(Infinity)).toBe(0)
    await clock.turn(10)
    expect(bucket.take(Infinity)).toBe(0) // 10,000 are not worth a turn
    await clock.turn(10)
    expect(bucket.take(Infinity)).toBe(20_000)
  })

  test("holds no more than a burst, however long the pause", async () => {
    const { clock, bucket } = limited()
    await clock.turn(3_600_000)
    expect(bucket.take(Infinity)).toBe(BURST_BYTES)
  })

  test("gives a whole burst where a turn is worth more than that", async () => {
    const { clock, bucket } = limited(1_000)
    expect(bucket.take(1)).toBe(500)
    await clock.turn(499)
    expect(bucket.take(1)).toBe(0)
    await clock.turn(1)
    expect(bucket.take(1)).toBe(500)
  })

  test("is paid for what passed before it was taken", async () => {
    const { clock, bucket } = limited()
    bucket.giveBack(-2 * BURST_BYTES)
    await clock.turn(1000)
    expect(bucket.take(Infinity)).toBe(BURST_BYTES)
    bucket.giveBack(-BURST_BYTES)
    await clock.turn(BURST_MS)
    expect(bucket.take(Infinity)).toBe(0)
  })

  test("goes on at a new rate with what it has", async () => {
    const { clock, bucket } = limited()
    bucket.take(Infinity)
    bucket.limit(10 * RATE)
    await clock.turn(10)
    expect(bucket.take(Infinity)).toBe(100_000)
  })

  test("neither gives nor owes anything for a clock that was set back", async () => {
    const { clock, bucket } = limited()
    bucket.take(Infinity)
    await clock.turn(-3_600_000)
    expect(bucket.take(Infinity)).toBe(0)
    await clock.turn(100)
    expect(bucket.take(Infinity)).toBe(100_000)
  })

  test("never gives more than its rate and a burst", async () => {
    const step = fc.record({ pauseMs: fc.integer({ min: 0, max: 700 }), want: fc.integer({ min: 1, max: 1_000_000 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const { clock, bucket } = limited()
        let [taken, elapsedMs] = [0, 0]
        for (const { pauseMs, want } of steps) {
          await clock.turn(pauseMs)
          elapsedMs += pauseMs
          taken += bucket.take(want)
          expect(taken).toBeLessThanOrEqual(BURST_BYTES + (RATE * elapsedMs) / 1000)
        }
      }),
      { numRuns: 20 },
    )
  })
})

/** Reads as much as it may whenever it may. */
class Greedy implements Held {
  creditBytes = 0
  readBytes = 0
  reading = true
  readonly #line: RateLine
  readonly #pieceBytes: number

  constructor(line: RateLine, pieceBytes: number) {
    this.#line = line
    this.#pieceBytes = pieceBytes
  }

  goOn(): void {
    this.reading = true
    this.read()
  }

  read(): void {
    while (this.reading) {
      this.readBytes += this.#pieceBytes
      this.reading = this.#line.spend(this, this.#pieceBytes)
    }
  }
}

describe("those whom a rate holds back", () => {
  const PIECE = 4096

  function line(bytesPerSecond = RATE) {
    const { clock, bucket } = limited(bytesPerSecond)
    return { clock, bucket, line: new RateLine(bucket, new Deadlines(clock)) }
  }

  test("read at the rate, all together, and the same each", async () => {
    const { clock, line: rate } = line()
    const crowd = Array.from({ length: 10 }, () => new Greedy(rate, PIECE))
    for (const each of crowd) each.read()
    await clock.turn(20_000)
    const read = crowd.map(({ readBytes }) => readBytes)
    const all = read.reduce((sum, bytes) => sum + bytes)
    expect(all).toBeLessThanOrEqual(20 * RATE + BURST_BYTES + crowd.length * PIECE)
    expect(all).toBeGreaterThan(19 * RATE)
    const later = read.slice(1) // the first one had the burst
    expect(Math.min(...later)).toBeGreaterThan(0.8 * Math.max(...later))
  })

  test("share a rate that is too low for all of them at once by turns", async () => {
    const { clock, line: rate } = line(40_000)
    const crowd = Array.from({ length: 20 }, () => new Greedy(rate, PIECE))
    for (const each of crowd) each.read()
    await clock.turn(100_000)
    const read = crowd.map(({ readBytes }) => readBytes)
    expect(read.reduce((sum, bytes) => sum + bytes)).toBeGreaterThan(0.9 * 4_000_000)
    expect(Math.min(...read)).toBeGreaterThan(0.5 * Math.max(...read))
  })

  test("leave nothing behind with those who are quiet", async () => {
    const { clock, bucket, line: rate } = line()
    const quiet = new Greedy(rate, 10)
    rate.spend(quiet, 10)
    expect(quiet.creditBytes).toBe(GRANT_BYTES_MIN)
    await clock.turn(BURST_MS)
    expect(quiet.creditBytes).toBe(0)
    expect(bucket.take(Infinity)).toBe(BURST_BYTES)
  })

  test("all go on when there is no rate any more", () => {
    const { bucket, line: rate } = line()
    bucket.take(Infinity)
    const crowd = Array.from({ length: 3 }, () => new Greedy(rate, PIECE))
    for (const each of crowd) each.reading = rate.spend(each, PIECE)
    expect(crowd.map(({ reading }) => reading)).toEqual([false, false, false])
    const woken: Held[] = []
    for (const each of crowd) each.goOn = () => void woken.push(each)
    rate.open()
    expect(woken).toEqual(crowd)
  })
})
