import { expect, test } from "@jest/globals"
import { randomBytes } from "node:crypto"
import { Socket } from "node:net"
import { ticket, type Ticket } from "../../../src/tunnel/carrier.ts"
import { CARRIER_AGE_MS_MAX, CARRIERS_READY_MIN, carrierPool } from "../../../src/tunnel/carrier-pool.ts"
import { handClock } from "../../support/hand-clock.ts"

/** A pool and a box that answers, or does not answer, for each ticket. */
function pooled(answers = true) {
  const clock = handClock()
  const asked: Ticket[] = []
  const pool = carrierPool({
    ask: (tickets) => {
      asked.push(...tickets)
      if (answers) setImmediate(() => tickets.forEach((made) => come(made)))
    },
    newTicket: () => ticket(randomBytes),
    clock,
  })
  const come = (made: Ticket) => {
    const found = pool.redeem(made.id.toString("hex"))
    if (found) pool.ready(new Socket(), found)
    return found
  }
  return { clock, pool, asked, come }
}

test("a few carriers are ready before anybody comes", async () => {
  const { clock, pool, asked } = pooled()
  await clock.turn(0)
  expect(asked).toHaveLength(CARRIERS_READY_MIN)
  expect(pool.take()).toBeDefined()
  pool.close()
})

test("a ticket works once", () => {
  const { pool, asked, come } = pooled(false)
  const [made] = asked as [Ticket]
  expect(come(made)).toBe(made)
  expect(come(made)).toBeUndefined()
  pool.close()
})

test("a ticket that was not used in time is worth nothing, and a new one is asked for", async () => {
  const { clock, pool, asked, come } = pooled(false)
  await clock.turn(25_000)
  expect(come(asked[0] as Ticket)).toBeUndefined()
  expect(asked.length).toBeGreaterThan(CARRIERS_READY_MIN)
  pool.close()
})

test("when all are taken there is none, and the next second has more of them", async () => {
  const { clock, pool } = pooled()
  await clock.turn(0)
  for (let n = 0; n < CARRIERS_READY_MIN; n++) expect(pool.take()).toBeDefined()
  expect(pool.take()).toBeUndefined()
  await clock.turn(1_500)
  let ready = 0
  while (pool.take()) ready += 1
  expect(ready).toBeGreaterThan(CARRIERS_READY_MIN)
  pool.close()
})

test("a carrier that has grown old is closed and replaced, never handed out", async () => {
  const { clock, pool } = pooled()
  await clock.turn(0)
  const before = clock.now()
  await clock.turn(CARRIER_AGE_MS_MAX + 5_000)
  expect(pool.take()?.since).toBeGreaterThan(before)
  pool.close()
})

test("a carrier whose connection ended is not handed out", async () => {
  const { clock, pool } = pooled(false)
  const socket = new Socket()
  pool.ready(socket, ticket(randomBytes))
  socket.destroy()
  await clock.turn(0)
  expect(pool.take()).toBeUndefined()
  pool.close()
})
