import { expect, test } from "@jest/globals"
import { keepMapped } from "../../../src/portmap/keep-mapped.ts"
import type { Mapping } from "../../../src/portmap/port-mapper.ts"
import { handClock } from "../../support/hand-clock.ts"
import { at } from "../../support/loopback.ts"

const HOUR_MS = 3_600_000

function router() {
  const seen = { asked: 0, removed: 0, refuses: false }
  const map = async (): Promise<Mapping> => {
    seen.asked += 1
    if (seen.refuses) throw new Error("its owner has switched mappings off")
    const remove = async () => void (seen.removed += 1)
    return { by: "PCP", external: at("203.0.113.9", 443), lifetimeSeconds: 3_600, remove }
  }
  return { seen, map }
}

test("a mapping is renewed when half of its time has passed, and taken away at the end", async () => {
  const clock = handClock()
  const { seen, map } = router()
  const kept = keepMapped(map, clock, () => {})
  await clock.turn(0)
  expect(kept.state()).toMatchObject({ at: "mapped", by: "PCP" })
  await clock.turn(HOUR_MS / 2 - 1)
  expect(seen.asked).toBe(1)
  await clock.turn(1)
  expect(seen.asked).toBe(2)
  await kept.stop()
  expect(seen.removed).toBe(1)
  await clock.turn(HOUR_MS)
  expect(seen.asked).toBe(2)
})

test("a router that refuses is asked again later", async () => {
  const clock = handClock()
  const { seen, map } = router()
  seen.refuses = true
  const kept = keepMapped(map, clock, () => {})
  await clock.turn(0)
  expect(kept.state()).toEqual({ at: "refused", because: "its owner has switched mappings off" })
  seen.refuses = false
  await clock.turn(5 * 60_000)
  expect(kept.state().at).toBe("mapped")
  await kept.stop()
})

test("the end does not wait for a router that is silent", async () => {
  const silent = (signal: AbortSignal): Promise<Mapping> =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("not asked any more"))))
  const kept = keepMapped(silent, handClock(), () => {})
  await kept.stop()
  expect(kept.state()).toEqual({ at: "asking" })
})
