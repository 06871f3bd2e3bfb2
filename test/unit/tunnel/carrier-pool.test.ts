import { afterEach, expect, test } from "@jest/globals"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { socketAddress, type SocketAddress } from "../../../src/names/endpoint.ts"
import { readCarrierHeader, ticket, type Ticket } from "../../../src/tunnel/carrier.ts"
import { CARRIER_PATIENCE_MS, carrierPool } from "../../../src/tunnel/carrier-pool.ts"
import {
  CARRIER_AGE_MS_MAX,
  CARRIERS_MAX,
  CARRIERS_READY_MAX,
  CARRIERS_READY_MIN,
} from "../../../src/tunnel/settings.ts"
import { serviceName, type ServiceName, type StreamRequest } from "../../../src/tunnel/wire.ts"
import { eventually } from "../../support/eventually.ts"
import { handClock } from "../../support/hand-clock.ts"

const request: StreamRequest = {
  service: serviceName("https") as ServiceName,
  remote: socketAddress("192.0.2.9:51000") as SocketAddress,
  local: socketAddress("198.51.100.10:443") as SocketAddress,
  serverName: undefined,
  alpn: [],
}

let server: Server | undefined
const open: Socket[] = []
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy()
  server?.close()
  server = undefined
})

/** Both ends of a connection: the relay's first. */
async function connection(): Promise<readonly [Socket, Socket]> {
  if (!server) await once((server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1")), "listening")
  const box = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true })
  const [relay] = (await once(server, "connection")) as [Socket]
  open.push(relay, box)
  return [relay, box.on("error", () => {})]
}

type Answers = "dials" | "is slow" | "dials none"

/** A pool and a box that answers every ticket, none yet, or says that it never will. */
function pooled(answers: Answers = "dials") {
  const clock = handClock()
  const offered: Ticket[] = []
  let dialled = Promise.resolve()
  const boxEnds: Socket[] = []
  const pool = carrierPool({
    offer: async (tickets) => {
      offered.push(...tickets)
      const dialAll = async () => {
        for (const made of tickets) await come(made)
      }
      if (answers === "dials") await (dialled = dialled.then(dialAll)) // one by one, so that both ends of each are known
      return answers !== "dials none"
    },
    newTicket: () => ticket(randomBytes),
    clock,
  })
  const come = async (made: Ticket) => {
    const found = pool.redeem(made.id.toString("hex"))
    if (!found) return undefined
    const [relay, box] = await connection()
    boxEnds.push(box)
    pool.ready(relay, found)
    return found
  }
  const filled = (count = CARRIERS_READY_MIN) => eventually("carriers are ready", () => pool.readyCount >= count)
  return { clock, pool, offered, boxEnds, come, filled }
}

test("a few carriers are ready before anybody comes, and one that is taken says whose connection it is", async () => {
  const { pool, offered, boxEnds, filled } = pooled()
  await filled()
  expect(offered).toHaveLength(CARRIERS_READY_MIN)
  expect(await pool.take(request)).toBeDefined()
  const [header] = (await once(boxEnds.at(-1) as Socket, "data")) as [Buffer]
  expect(readCarrierHeader(header, offered.at(-1) as Ticket)).toMatchObject({ kind: "value", value: request })
  pool.close()
})

test("a ticket works once", async () => {
  const { pool, offered, come } = pooled("is slow")
  const [made] = offered as [Ticket]
  expect(await come(made)).toBe(made)
  expect(await come(made)).toBeUndefined()
  pool.close()
})

test("a ticket that was not used in time is worth nothing, and a new one is offered", async () => {
  const { clock, pool, offered, come } = pooled("is slow")
  await clock.turn(25_000)
  expect(await come(offered[0] as Ticket)).toBeUndefined()
  expect(offered.length).toBeGreaterThan(CARRIERS_READY_MIN)
  pool.close()
})

test("more who come at once than are ready wait for carriers of their own, and after a quiet time few are ready", async () => {
  const { clock, pool, filled } = pooled()
  await filled()
  const visitors = Array.from({ length: 4 * CARRIERS_READY_MIN }, () => pool.take(request))
  const carriers = await Promise.all(visitors)
  expect(new Set(carriers).size).toBe(visitors.length)
  expect(carriers).not.toContain(undefined)
  await clock.turn(300)
  await filled(2 * visitors.length)
  await clock.turn(60_000)
  expect(pool.readyCount).toBe(CARRIERS_READY_MIN)
  pool.close()
})

test("who has waited too long rides a stream, and nobody waits again until a carrier has come", async () => {
  const { clock, pool, offered, come } = pooled("is slow")
  const waits = pool.take(request)
  await clock.turn(CARRIER_PATIENCE_MS)
  expect(await waits).toBeUndefined()
  expect(await pool.take(request)).toBeUndefined()
  await come(offered[0] as Ticket)
  expect(await pool.take(request)).toBeDefined()
  const [next] = [pool.take(request), await come(offered[1] as Ticket)]
  expect(await next).toBeDefined()
  pool.close()
})

test("who waits when the pool ends rides a stream", async () => {
  const { pool } = pooled("is slow")
  const waits = pool.take(request)
  pool.close()
  expect(await waits).toBeUndefined()
  expect(await pool.take(request)).toBeUndefined()
})

test("there are never more than the limit, ready and on their way, however many come", async () => {
  const { clock, pool, offered } = pooled("is slow")
  const visitors = Array.from({ length: 10_000 }, () => pool.take(request))
  expect(offered).toHaveLength(CARRIERS_MAX)
  await clock.turn(1_000)
  expect(offered).toHaveLength(CARRIERS_MAX)
  expect(new Set(await Promise.all(visitors))).toEqual(new Set([undefined]))
  pool.close()
})

test("of a flood the most ride streams, until a moment later", async () => {
  const { clock, pool, filled } = pooled()
  await filled()
  const carriers: unknown[] = []
  for (let come = 0; come < 500; come++) carriers.push(await pool.take(request))
  expect(carriers.filter(Boolean)).toHaveLength(CARRIERS_MAX)
  await clock.turn(300)
  await filled(CARRIERS_READY_MAX)
  pool.close()
})

test("fewer are kept ready than may be on their way", async () => {
  const { clock, pool, filled } = pooled()
  await filled()
  await Promise.all(Array.from({ length: CARRIERS_MAX }, () => pool.take(request)))
  await clock.turn(300)
  await filled(CARRIERS_READY_MAX)
  expect(pool.readyCount).toBe(CARRIERS_READY_MAX)
  pool.close()
})

test("a carrier that has grown old is closed and replaced, never handed out", async () => {
  const { clock, pool, boxEnds, filled } = pooled()
  await filled()
  const first = boxEnds.slice(0, CARRIERS_READY_MIN)
  await clock.turn(CARRIER_AGE_MS_MAX + 2_000)
  await eventually("the old ones are gone", () =>
    first.every((socket) => socket.destroyed || socket.readableEnded || !socket.resume().readable),
  )
  await filled()
  pool.close()
})

test("a carrier that ended, or that speaks before it is asked to, is not handed out", async () => {
  const { pool, boxEnds, filled } = pooled()
  await filled()
  const [ends, speaks] = boxEnds as [Socket, Socket]
  ends.end()
  speaks.write("early")
  await eventually("both are dropped", () => pool.readyCount === CARRIERS_READY_MIN - 2)
  pool.close()
})

test("a box that dials none is not asked again", async () => {
  const { clock, pool, offered } = pooled("dials none")
  await clock.turn(60_000)
  expect(await pool.take(request)).toBeUndefined()
  expect(offered).toHaveLength(CARRIERS_READY_MIN)
})
