import { expect, test } from "@jest/globals"
import { endWhenRevoked, LOOK_EVERY_MS } from "../../../src/relay/revocation.ts"
import { handClock } from "../../support/hand-clock.ts"

function tunnel() {
  const gone = Promise.withResolvers<void>()
  let closed = 0
  return { box: { gone: gone.promise, close: () => void (closed += 1) }, lose: gone.resolve, closed: () => closed }
}

test("a tunnel whose key is revoked is ended at the next look", async () => {
  const { box, closed } = tunnel()
  const clock = handClock()
  let revoked = false
  endWhenRevoked(box, async () => revoked, clock)
  await clock.turn(10 * LOOK_EVERY_MS)
  expect(closed()).toBe(0)
  revoked = true
  await clock.turn(LOOK_EVERY_MS)
  expect(closed()).toBe(1)
})

test("a folder that cannot be read ends nobody", async () => {
  const { box, closed } = tunnel()
  const clock = handClock()
  endWhenRevoked(box, async () => Promise.reject(new Error("EIO")), clock)
  await clock.turn(3 * LOOK_EVERY_MS)
  expect(closed()).toBe(0)
})

test("nobody looks any more when the tunnel is gone", async () => {
  const { box, lose } = tunnel()
  const clock = handClock()
  let looks = 0
  endWhenRevoked(box, async () => (looks += 1) < 0, clock)
  lose()
  await clock.turn(3 * LOOK_EVERY_MS)
  expect(looks).toBe(0)
})
