import { afterEach, beforeEach, expect, test } from "@jest/globals"
import { createSocket, type Socket } from "node:dgram"
import { once } from "node:events"
import { exchangeDatagrams } from "../../../src/net/exchange.ts"
import { at } from "../../support/loopback.ts"

const question = Buffer.from("who?")
let server: Socket

beforeEach(async () => {
  server = createSocket("udp4").bind(0, "127.0.0.1")
  await once(server, "listening")
})
afterEach(() => {
  server.close()
})

const asked = (signal: AbortSignal) =>
  exchangeDatagrams(
    at("127.0.0.1", server.address().port),
    { question, deadlineMs: 600_000, background: true, signal },
    (bytes) => (bytes.length > 1 ? bytes.toString() : undefined),
  )

test("an answer that is none is passed over", async () => {
  server.on("message", (_, from) => {
    server.send("?", from.port)
    server.send("me", from.port)
  })
  await expect(asked(new AbortController().signal)).resolves.toBe("me")
})

test("a server that is silent is asked until nobody wants to know any more", async () => {
  const stopped = new AbortController()
  const answer = asked(stopped.signal)
  await once(server, "message")
  stopped.abort()
  await expect(answer).rejects.toThrow("127.0.0.1 is not asked any more")
  await expect(asked(stopped.signal)).rejects.toThrow("127.0.0.1 is not asked any more")
})
