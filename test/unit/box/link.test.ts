import { expect, test } from "@jest/globals"
import { describeLink, keepLinked, waitBefore, type Link } from "../../../src/box/link.ts"
import { silentLog } from "../../../src/log/log.ts"
import type { BoxEnd, Ending } from "../../../src/tunnel/box-end.ts"
import { handClock } from "../../support/hand-clock.ts"

type Scripted = { readonly end: BoxEnd; readonly leave: () => void; readonly lose: () => void; closed: boolean }

function scriptedEnd(): Scripted {
  const leaving = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<Ending>()
  const scripted: Scripted = {
    end: {
      askReach: async () => undefined,
      rttMs: () => 12.34,
      ask: () => Promise.reject(new Error("nobody asks")),
      leaving: leaving.promise,
      gone: gone.promise,
      leave: () => gone.promise,
      close: () => (scripted.closed = true),
    },
    leave: () => leaving.resolve(),
    lose: () => gone.resolve("closed"),
    closed: false,
  }
  return scripted
}

/** A link whose dials succeed or fail as the test says, one answer for each dial. */
function linked(...answers: readonly (Scripted | string)[]) {
  const clock = handClock()
  let changes = 0
  const left = [...answers]
  let dials = 0
  const link: Link = keepLinked({
    relay: "relay.bob.example:7443",
    dial: async () => {
      dials += 1
      const answer = left.shift() ?? "connection refused"
      if (typeof answer === "string") throw new Error(answer)
      return answer.end
    },
    clock,
    dice: () => 1,
    log: silentLog,
    changed: () => (changes += 1),
  })
  return { clock, link, dials: () => dials, changes: () => changes }
}

test("a link that was refused tries again, after a little longer each time, and comes up", async () => {
  const { clock, link } = linked("connection refused", "connection refused", scriptedEnd())
  await clock.turn(0)
  expect(link.state()).toMatchObject({ at: "waiting", tries: 1, because: "connection refused" })
  await clock.turn(100)
  expect(link.state()).toMatchObject({ at: "waiting", tries: 2 })
  await clock.turn(150)
  expect(link.state()).toMatchObject({ at: "up", rttMs: 12.34 })
})

test("when the connection is lost it dials anew at once", async () => {
  const first = scriptedEnd()
  const { clock, link, dials } = linked(first, scriptedEnd())
  await clock.turn(0)
  first.lose()
  await clock.turn(0)
  expect(dials()).toBe(2)
  expect(link.state().at).toBe("up")
})

test("when the relay asks for it, a second tunnel is dialled while the first one ends its streams", async () => {
  const first = scriptedEnd()
  const { clock, dials } = linked(first, scriptedEnd())
  await clock.turn(0)
  first.leave()
  await clock.turn(0)
  first.lose()
  await clock.turn(0)
  expect(dials()).toBe(2)
  expect(first.closed).toBe(false)
})

test("a relay that starts again is asked for often, one that is gone is not hammered, and chance parts its boxes", () => {
  expect([waitBefore(20, 9_000, 0), waitBefore(20, 9_000, 1)]).toEqual([200, 400])
  expect(waitBefore(50, 60_000, 1)).toBe(1_500)
  expect(waitBefore(50, 3_600_000, 1)).toBe(30_000)
  expect(waitBefore(50, 3_600_000, 0)).toBe(15_000)
})

test("a stopped link closes its tunnel and dials no more", async () => {
  const first = scriptedEnd()
  const { clock, link, dials } = linked(first)
  await clock.turn(0)
  link.stop()
  first.lose()
  await clock.turn(3_600_000)
  expect(first.closed).toBe(true)
  expect(dials()).toBe(1)
  expect(link.state()).toEqual({ at: "stopped" })
})

test("a detached link closes its tunnel, dials no more, and stays detached", async () => {
  const first = scriptedEnd()
  const { clock, link, dials } = linked(first)
  await clock.turn(0)
  link.detach("it shows another key")
  first.lose()
  await clock.turn(3_600_000)
  link.stop()
  expect([first.closed, dials()]).toEqual([true, 1])
  expect(describeLink(link.state(), 0)).toMatch(/^DETACHED since .*: it shows another key$/)
})

test("a link stopped while it waits stays stopped", async () => {
  const { clock, link, dials } = linked("connection refused")
  await clock.turn(0)
  link.stop()
  await clock.turn(3_600_000)
  expect(dials()).toBe(1)
})

test("it tells of every change of its state", async () => {
  const { clock, link, changes } = linked("connection refused", scriptedEnd())
  await clock.turn(0)
  expect(changes()).toBe(2) // dialling, waiting
  await clock.turn(100)
  expect(changes()).toBe(4) // dialling, up
  link.stop()
  expect(changes()).toBe(5)
})

test("its state reads as a sentence", () => {
  const now = Date.UTC(2026, 10, 21)
  expect(describeLink({ at: "up", since: now, rttMs: 12.34 }, now)).toBe(
    "up since 2026-11-21T00:00:00.000Z, 12.3 ms away",
  )
  expect(describeLink({ at: "waiting", until: now + 1_200, tries: 2, because: "connection refused" }, now)).toBe(
    "down: connection refused; try 3 in 2 s",
  )
})
