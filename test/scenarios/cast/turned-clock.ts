/**
 * The real time, and hands that can be turned forward. Time then passes in strides, as for a machine that sleeps and
 * wakes: what became due within a stride happens at its end, in order, and is given a moment to come to something.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { systemClock, type Clock, type Instant } from "../../../src/clock/clock.ts"

export type TurnedClock = Clock & { turn(ms: number): Promise<void> }

/** Ours: enough for some tries in a day, and for the last one of three weeks. */
const STRIDES = 30
/** Ours: how long what became due has to begin something, and the disk to take it. */
const SETTLE_MS = 25
/** Ours: a connection that hangs shall meet its deadline, which only comes if time goes on. */
const PATIENCE_MS = 5_000

export function turnedClock(): TurnedClock {
  let aheadMs = 0
  const others = connections()
  const waiting = new Set<Waiting>()
  const now = (): Instant => systemClock.now() + aheadMs
  const wakeUp = (one: Waiting): void => {
    one.forget()
    if (waiting.delete(one)) one.wake()
  }
  return {
    now,
    after: (delayMs, wake) => {
      const one: Waiting = { at: now() + delayMs, wake, forget: systemClock.after(delayMs, () => wakeUp(one)) }
      waiting.add(one)
      return () => {
        one.forget()
        waiting.delete(one)
      }
    },
    turn: async (ms) => {
      for (let stride = 0; stride < STRIDES; stride++) {
        aheadMs += ms / STRIDES
        const due = [...waiting].filter(({ at }) => at <= now()).sort((left, right) => left.at - right.at)
        for (const one of due) wakeUp(one)
        await quiet(others)
      }
    },
  }
}

type Waiting = { readonly at: Instant; readonly wake: () => void; readonly forget: () => void }

/** Resolves when no connection of ours is open, so that no deadline passes in the middle of a dialogue. `others` were there before. */
async function quiet(others: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += SETTLE_MS) {
    await sleep(SETTLE_MS)
    if (connections() <= others) return
  }
}

function connections(): number {
  return process.getActiveResourcesInfo().filter((resource) => CONNECTION.test(resource)).length
}

/** node:process, getActiveResourcesInfo: sockets and name look-ups; what listens is another kind. */
const CONNECTION = /^(TCPSocketWrap|TCPConnectWrap|GetAddrInfoReqWrap)$/
