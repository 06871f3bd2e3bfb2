import { afterEach, describe, expect, test } from "@jest/globals"
import { once } from "node:events"
import { connect as connectHttp2 } from "node:http2"
import { connect, type AddressInfo } from "node:net"
import { connect as connectTls, createServer } from "node:tls"
import { streamsWith } from "../../../../src/lab/recorder/recording.ts"
import { recordedProgram, type RecordedProgram } from "../../../support/recorded-program.ts"
import { keyPair } from "../../../support/key-pair.ts"

const SECRET = "Meet me at noon"
let program: RecordedProgram | undefined

afterEach(async () => {
  await program?.end()
  program = undefined
})

describe("the recorder", () => {
  test("keeps what a plain server read and wrote, also when it came in pieces", async () => {
    program = await recordedProgram(`
      import { createServer } from "node:net"
      const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1", () => console.log(server.address().port))`)
    const socket = connect(Number(program.said), "127.0.0.1").setNoDelay()
    for (const letter of SECRET) {
      socket.write(letter)
      await once(socket, "data")
    }
    socket.destroy()

    const found = streamsWith(await program.held(), SECRET)
    expect(found.map(({ way, tls }) => ({ way, tls }))).toEqual([
      { way: "in", tls: false },
      { way: "out", tls: false },
    ])
    expect(found[0]?.remote).toMatch(/^127\.0\.0\.1 \d+$/)
  })

  test("keeps a request that an HTTP server's own parser consumes", async () => {
    program = await recordedProgram(`
      import { createServer } from "node:http"
      const server = createServer((_, response) => response.end("${SECRET}")).listen(0, "127.0.0.1", () => console.log(server.address().port))`)
    await (await fetch(`http://127.0.0.1:${program.said}/question`)).text()

    const held = await program.held()
    expect(streamsWith(held, "GET /question").map(({ way }) => way)).toEqual(["in"])
    expect(streamsWith(held, SECRET).map(({ way }) => way)).toEqual(["out"])
  })

  test("keeps what a socket reads into a buffer of its own", async () => {
    program = await recordedProgram(`
      import { connect, createServer } from "node:net"
      const server = createServer((socket) => socket.end("${SECRET}")).listen(0, "127.0.0.1", () => {
        const callback = (readBytes, buffer) => console.log(buffer.toString("latin1", 0, readBytes)) ?? true
        connect({ port: server.address().port, host: "127.0.0.1", onread: { buffer: Buffer.alloc(64), callback } })
      })`)
    expect(program.said).toBe(SECRET)
    const connections = (await program.held()).filter(({ remote }) => remote !== "") // not its standard output
    expect(streamsWith(connections, SECRET).map(({ way }) => way)).toEqual(["out", "in"])
  })

  test("sees through TLS that the process ends", async () => {
    program = await recordedProgram(`
      import { createServer } from "node:tls"
      const server = createServer(${JSON.stringify(await keyPair("bob.example"))}, (socket) => socket.pipe(socket))
      server.listen(0, "127.0.0.1", () => console.log(server.address().port))`)
    await askOverTls(Number(program.said))

    const found = streamsWith(await program.held(), SECRET)
    expect(found.map(({ way, tls }) => ({ way, tls }))).toEqual([
      { way: "in", tls: true },
      { way: "out", tls: true },
    ])
  })

  test("sees what an HTTP/2 stream takes and gives, inside TLS that the process ends", async () => {
    program = await recordedProgram(`
      import { createSecureServer } from "node:http2"
      const server = createSecureServer(${JSON.stringify(await keyPair("bob.example"))})
      server.on("stream", (stream) => { stream.respond({ ":status": 200 }); stream.pipe(stream) })
      server.listen(0, "127.0.0.1", () => console.log(server.address().port))`)
    const session = connectHttp2(`https://127.0.0.1:${program.said}`, { rejectUnauthorized: false })
    const stream = session.request({ ":method": "POST" })
    stream.end(SECRET)
    const [answer] = (await once(stream, "data")) as [Buffer]
    expect(answer.toString()).toBe(SECRET)
    session.destroy()

    const found = streamsWith(await program.held(), SECRET)
    expect(found.map(({ way, tls }) => ({ way, tls }))).toEqual([
      { way: "in", tls: true },
      { way: "out", tls: true },
    ])
    expect(found[0]?.remote).toMatch(/^127\.0\.0\.1 \d+$/)
  })

  test("is in every thread", async () => {
    program = await recordedProgram(`
      import { Worker } from "node:worker_threads"
      new Worker(\`
        import { createServer } from "node:net"
        import { parentPort } from "node:worker_threads"
        const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1")
        server.once("listening", () => parentPort.postMessage(server.address().port))\`, { eval: true })
        .on("message", (port) => console.log(port))`)
    const socket = connect(Number(program.said), "127.0.0.1")
    socket.write(SECRET)
    await once(socket, "data")
    socket.destroy()
    expect(streamsWith(await program.held(), SECRET).map(({ way }) => way)).toEqual(["in", "out"])
  })

  test("does not see through TLS that passes", async () => {
    const box = createServer(await keyPair("alice.example"), (socket) => socket.pipe(socket)).listen(0, "127.0.0.1")
    await once(box, "listening")
    program = await recordedProgram(`
      import { connect, createServer } from "node:net"
      const server = createServer((visitor) => {
        const backend = connect(${(box.address() as AddressInfo).port}, "127.0.0.1")
        visitor.pipe(backend).pipe(visitor)
      }).listen(0, "127.0.0.1", () => console.log(server.address().port))`)
    await askOverTls(Number(program.said))
    box.close()

    const held = await program.held()
    expect(streamsWith(held, SECRET)).toEqual([])
    expect(streamsWith(held, "alice.example").length).toBeGreaterThan(0) // the ClientHello is in the clear
  })
})

/** Sends the secret over TLS and waits until it has come back. */
async function askOverTls(port: number): Promise<void> {
  const client = connectTls({ port, host: "127.0.0.1", servername: "alice.example", rejectUnauthorized: false })
  client.write(SECRET)
  const [answer] = (await once(client, "data")) as [Buffer]
  expect(answer.toString()).toBe(SECRET)
  client.destroy()
}
