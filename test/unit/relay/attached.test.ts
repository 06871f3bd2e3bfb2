import { expect, test } from "@jest/globals"
import { PassThrough, type Duplex } from "node:stream"
import { socketAddress, type SocketAddress } from "../../../src/names/endpoint.ts"
import { attachedBoxes } from "../../../src/relay/attached.ts"
import type { FriendName } from "../../../src/route/route.ts"
import type { CarrierPool } from "../../../src/tunnel/carrier-pool.ts"
import type { RelayEnd } from "../../../src/tunnel/relay-end.ts"
import { serviceName, type ServiceName, type StreamRequest } from "../../../src/tunnel/wire.ts"

const alice = "alice" as FriendName
const somewhere = socketAddress("192.0.2.9:50000") as SocketAddress
const request: StreamRequest = {
  service: serviceName("https") as ServiceName,
  remote: somewhere,
  local: somewhere,
  serverName: undefined,
  alpn: [],
}
const noCarriers = { take: async () => undefined, close: () => {} } as unknown as CarrierPool

/** A tunnel that gives this stream while it takes any. */
function tunnel(stream: Duplex, takesStreams = true): RelayEnd {
  const box = { takesStreams, open: () => stream, gone: new Promise(() => {}), drain: async () => {}, streams: 0 }
  return box as unknown as RelayEnd
}

test("a stream is opened on the newest tunnel that takes one", () => {
  const attached = attachedBoxes()
  const [older, newer] = [new PassThrough(), new PassThrough()]
  attached.add(alice, tunnel(older), noCarriers)
  attached.add(alice, tunnel(newer), noCarriers)
  expect(attached.open(alice, request)).toBe(newer)
  attached.add(alice, tunnel(new PassThrough(), false), noCarriers)
  expect(attached.open(alice, request)).toBe(newer)
})

test("a box whose only tunnel takes no more streams counts as away for whoever comes", () => {
  const attached = attachedBoxes()
  attached.add(alice, tunnel(new PassThrough(), false), noCarriers)
  expect(attached.open(alice, request)).toBeUndefined()
})

test("nothing is opened once the relay drains", async () => {
  const attached = attachedBoxes()
  attached.add(alice, tunnel(new PassThrough()), noCarriers)
  await attached.drain()
  expect(attached.open(alice, request)).toBeUndefined()
})
