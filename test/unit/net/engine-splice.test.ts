/** Two connections that are open already, given to an engine: every engine moves their bytes alike. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { PassThrough } from "node:stream"
import { buffer, text } from "node:stream/consumers"
import type { Engine } from "../../../src/net/engine.ts"
import { engines } from "../../support/engines.ts"

describe.each(engines)("splicing open connections on engine: $name", ({ start }) => {
  let engine: Engine
  let server: Server
  const open: Socket[] = []

  beforeEach(async () => {
    engine = start()
    server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1")
    await once(server, "listening")
  })
  afterEach(async () => {
    for (const socket of open.splice(0)) socket.destroy()
    server.close()
    await engine.close()
  })

  /** The end that is given to the engine, and the far one. */
  async function connection(): Promise<readonly [Socket, Socket]> {
    const far = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true })
    const [near] = (await once(server, "connection")) as [Socket]
    open.push(near, far)
    return [near, far.on("error", () => {})]
  }

  test("what was read already goes first, megabytes follow, and each direction ends on its own", async () => {
    const [left, visitor] = await connection()
    const [right, backend] = await connection()
    left.unshift(Buffer.from("read before "))
    right.write("a header ")
    const spliced = engine.splice(left, right)
    const content = randomBytes(3_000_000)
    visitor.end(content)
    const heard = await buffer(backend)
    expect(heard.equals(Buffer.concat([Buffer.from("a header read before "), content]))).toBe(true)
    backend.end("and back")
    expect(await text(visitor)).toBe("and back")
    const { how, leftToRightBytes, rightToLeftBytes } = await spliced
    expect({ how, leftToRightBytes, rightToLeftBytes }).toEqual({
      how: "both-finished",
      leftToRightBytes: 3_000_012,
      rightToLeftBytes: 8,
    })
    expect([left.destroyed, right.destroyed]).toEqual([true, true])
  })

  test.each([
    ["left", "left-broke"],
    ["right", "right-broke"],
  ] as const)("a reset on the %s is passed on", async (side, how) => {
    const [left, visitor] = await connection()
    const [right, backend] = await connection()
    const spliced = engine.splice(left, right)
    const [breaks, hears] = side === "left" ? [visitor, backend] : [backend, visitor]
    const [said, told] = [once(hears, "data"), new Promise((resolve) => hears.once("error", resolve))]
    breaks.write("hello")
    await said
    breaks.resetAndDestroy()
    expect(await told).toMatchObject({ code: "ECONNRESET" })
    expect((await spliced).how).toBe(how)
  })

  test("silence in both directions ends it", async () => {
    const [left] = await connection()
    const [right] = await connection()
    expect((await engine.splice(left, right, { idleDeadlineMs: 50 })).how).toBe("idle")
  })

  test("what is no plain socket is spliced all the same", async () => {
    const [left, visitor] = await connection()
    const echo = new PassThrough()
    const spliced = engine.splice(left, echo)
    visitor.end("there and back")
    expect(await text(visitor)).toBe("there and back")
    expect((await spliced).how).toBe("both-finished")
  })
})
