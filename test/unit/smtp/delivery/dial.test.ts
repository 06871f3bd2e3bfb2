import { once } from "node:events"
import { createServer, type AddressInfo } from "node:net"
import { PassThrough } from "node:stream"
import { expect, test } from "@jest/globals"
import { dialTcp, endsHere } from "../../../../src/smtp/delivery/dial.ts"
import { socketAddress } from "../../../../src/names/endpoint.ts"
import { checked } from "../../../support/delivery.ts"

test.each([
  ["0.0.0.0:PORT", true],
  ["[::]:PORT", true],
  ["127.0.0.1:PORT", true],
  ["127.0.0.2:PORT", false],
  ["0.0.0.0:1", false],
])("a connection to 127.0.0.1 ends at own address %s: %s", async (text, here) => {
  const server = createServer((socket) => socket.resume()).listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const own = socketAddress(text.replace("PORT", String(port)))
  const connection = await dialTcp(
    { kind: "tcp", to: { host: checked("localhost"), port } },
    new AbortController().signal,
  )
  expect(endsHere(connection, own ? [own] : [])).toBe(here)
  connection.destroy()
  server.close()
})

test("a stream that is no socket ends elsewhere", () => {
  expect(endsHere(new PassThrough(), [])).toBe(false)
})

test("a dial that is given up leaves nothing open", async () => {
  const aborted = AbortSignal.abort()
  await expect(dialTcp({ kind: "tcp", to: { host: checked("localhost"), port: 1 } }, aborted)).rejects.toThrow()
})

test("a box needs its tunnel", async () => {
  const hop = { kind: "box", friend: "dave", service: "smtp" } as const
  await expect(dialTcp(hop, new AbortController().signal)).rejects.toThrow("box dave/smtp cannot be reached")
})
