/** The box's end of carriers, before they are used. */
import { afterEach, beforeEach, expect, test } from "@jest/globals"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { systemClock } from "../../../src/clock/clock.ts"
import { endpoint } from "../../../src/names/endpoint.ts"
import { boxCarriers, type BoxCarriers } from "../../../src/tunnel/box-carriers.ts"
import { ticket } from "../../../src/tunnel/carrier.ts"
import { CARRIERS_MAX } from "../../../src/tunnel/settings.ts"
import { eventually } from "../../support/eventually.ts"

let relay: Server
let came: Socket[]
let carriers: BoxCarriers

beforeEach(async () => {
  came = []
  relay = createServer((socket) => came.push(socket.on("error", () => {}).resume())).listen(0, "127.0.0.1")
  await once(relay, "listening")
  const at = endpoint(`127.0.0.1:${(relay.address() as AddressInfo).port}`)
  if (!at) throw new Error("a listening server has an endpoint")
  carriers = boxCarriers({ relay: at, serve: async () => false, clock: systemClock })
})
afterEach(() => {
  carriers.close()
  for (const socket of came) socket.destroy()
  relay.close()
})

const tickets = (count: number) => Array.from({ length: count }, () => ticket(randomBytes))

test("it dials no more than wait at once, and again for those that the relay has let go of", async () => {
  carriers.dial(tickets(CARRIERS_MAX))
  carriers.dial(tickets(1))
  await eventually("all have come", () => came.length >= CARRIERS_MAX)
  expect(came).toHaveLength(CARRIERS_MAX)
  for (const socket of came) socket.end()
  await eventually("the box has let go of them too", () => came.every(({ destroyed }) => destroyed))
  carriers.dial(tickets(CARRIERS_MAX))
  await eventually("as many come again", () => came.length === 2 * CARRIERS_MAX)
})
