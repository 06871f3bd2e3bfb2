/** One direction of the JavaScript engine, between sockets that take everything. */
import type { Socket } from "node:net"
import { expect, test } from "@jest/globals"
import { Flow, TURN_BYTES_MAX } from "../../../src/net/flow.ts"
import { ReadBuffers } from "../../../src/net/read-buffers.ts"

const nobody = { touch: () => {}, finished: () => {} }

test("who fills every buffer is stopped after a quota, and goes on when the others had their turn", async () => {
  let resumed = 0
  // As much of a socket as a flow uses.
  const from = { destroyed: false, resume: () => (resumed += 1) } as unknown as Socket
  const to = { destroyed: false, errored: null, writableLength: 0, write: () => true } as unknown as Socket
  const flow = new Flow({ from, to, buffers: new ReadBuffers(), owner: nobody, meter: undefined })
  let readBytes = 0
  for (let goesOn = true; goesOn; readBytes += flow.buffer.length) goesOn = flow.read(flow.buffer.length, flow.buffer)
  expect(readBytes).toBeGreaterThanOrEqual(TURN_BYTES_MAX)
  expect(readBytes).toBeLessThan(3 * TURN_BYTES_MAX)
  expect(resumed).toBe(0)
  await new Promise(setImmediate)
  expect(resumed).toBe(1)
})
