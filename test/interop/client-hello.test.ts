/** Real TLS clients: their hellos are read right, our alerts are understood, and a hello cut anew still leads to a handshake. */
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import { connect as connectTls, createServer as createTlsServer, type ConnectionOptions } from "node:tls"
import { describe, expect, test } from "@jest/globals"
import { kindOf, type FaultCode } from "../../src/faults/faults.ts"
import { alertRecord } from "../../src/sni/alert.ts"
import { readClientHello, type ClientHello } from "../../src/sni/client-hello.ts"
import { runClient } from "../support/client.ts"
import { openHearing } from "../support/hearing.ts"
import { cutEvery } from "../support/hello.ts"
import { withJudges, type Judge } from "../support/judge.ts"
import { keyPair } from "../support/key-pair.ts"

const noProtocols = { serverName: "alice.example", alpn: [] }
const webProtocols = { serverName: "alice.example", alpn: ["h2", "http/1.1"] }
const nobody = { serverName: undefined, alpn: [] }

withJudges(["openssl"], () => {
  const longList = Array.from({ length: 30 }, (_, index) => `a-protocol-of-some-length-${index}`)
  const base = "s_client -connect 127.0.0.1:PORT"

  test.each([
    ["by default", `${base} -servername alice.example`, noProtocols],
    ["with capitals and a trailing dot", `${base} -servername ALICE.Example.`, noProtocols],
    ["without a name", `${base} -noservername`, nobody],
    ["with TLS 1.2 only", `${base} -servername alice.example -tls1_2`, noProtocols],
    ["with TLS 1.3 only", `${base} -servername alice.example -tls1_3`, noProtocols],
    ["with TLS 1.0 only", `${base} -servername alice.example -tls1 -cipher DEFAULT@SECLEVEL=0`, noProtocols],
    ["with protocols", `${base} -servername alice.example -alpn h2,http/1.1`, webProtocols],
    ["with group X25519", `${base} -servername alice.example -groups X25519`, noProtocols],
    ["with groups P-521 and X448", `${base} -servername alice.example -groups P-521:X448`, noProtocols],
    ["with all ciphers", `${base} -servername alice.example -cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0`, noProtocols],
    [
      "in fragments of 512 bytes",
      `${base} -servername alice.example -max_send_frag 512 -alpn ${longList.join(",")}`,
      { serverName: "alice.example", alpn: longList },
    ],
  ])("the hello of openssl %s is read", async (_how, command, hello) => {
    expect(await helloOf("openssl", command)).toEqual(hello)
  })

  test.each<[FaultCode, number]>([
    ["NOT_TLS", 10],
    ["RECORD_TOO_LARGE", 22],
    ["HELLO_AMBIGUOUS", 47],
    ["HELLO_MALFORMED", 50],
    ["HELLO_VERSION", 70],
    ["BACKEND_REFUSES", 80],
    ["NAME_UNKNOWN", 112],
  ])("openssl understands the alert for %s as number %i", async (code, number) => {
    const { said } = await runAgainstAlert(code, "openssl", `${base} -servername stranger.example`)
    expect(said).toContain(`SSL alert number ${number}`)
  })
})

withJudges(["curl"], () => {
  const base = "-sk --max-time 20 --connect-to alice.example:443:127.0.0.1:PORT"

  test.each([
    ["by default", `${base} https://alice.example/`, webProtocols],
    ["with HTTP/1.1 only", `${base} --http1.1 https://alice.example/`, { ...webProtocols, alpn: ["http/1.1"] }],
    ["with TLS 1.2 at most", `${base} --tls-max 1.2 https://alice.example/`, webProtocols],
    ["to a bare address", "-sk --max-time 20 https://127.0.0.1:PORT/", { ...webProtocols, serverName: undefined }],
  ])("the hello of curl %s is read", async (_how, command, hello) => {
    expect(await helloOf("curl", command)).toEqual(hello)
  })

  test("curl says that nobody has the name", async () => {
    const { exitCode, said } = await runAgainstAlert("NAME_UNKNOWN", "curl", `${base} -S https://alice.example/`)
    expect(exitCode).toBe(35) // CURLE_SSL_CONNECT_ERROR
    expect(said).toContain("unrecognized name")
  })
})

describe("the hello of Node.js", () => {
  test.each<[string, ConnectionOptions, ClientHello | object]>([
    ["by default, with a post-quantum key share", { servername: "alice.example" }, noProtocols],
    ["without a name", {}, nobody],
    ["with protocols", { servername: "alice.example", ALPNProtocols: ["h2", "http/1.1"] }, webProtocols],
    ["with TLS 1.2 only", { servername: "alice.example", maxVersion: "TLSv1.2" }, noProtocols],
    ["with one group", { servername: "alice.example", ecdhCurve: "X25519MLKEM768" }, noProtocols],
  ])("%s is read", async (_how, options, hello) => {
    await using hearing = await openHearing(isEnough)
    const client = connectTls({ host: "127.0.0.1", port: hearing.port, ...options })
    client.on("error", () => {}) // the hearing hangs up
    const outcome = readClientHello(await hearing.heard)
    client.destroy()
    expect(outcome).toMatchObject({ kind: "value", value: hello })
  })
})

describe("a hello that is cut anew on its way", () => {
  test.each([1, 5, 64, 500, 1400])(
    "into records and segments of %i bytes still leads to a handshake",
    async (sizeBytes) => {
      await using alice = await tlsServer("alice.example")
      await using relay = await passthrough(alice.port)
      await using cutter = await recutter(relay.port, sizeBytes)
      const client = connectTls({
        host: "127.0.0.1",
        port: cutter.port,
        servername: "alice.example",
        rejectUnauthorized: false,
      })
      const [greeting] = (await once(client, "data")) as [Buffer] // the event's own signature
      client.destroy()
      expect(greeting.toString()).toBe("hello alice.example")
      expect(relay.names).toEqual(["alice.example"])
    },
  )
})

async function helloOf(name: Judge, command: string): Promise<ClientHello | undefined> {
  await using hearing = await openHearing(isEnough)
  const [heard] = await Promise.all([hearing.heard, runClient(name, words(command, hearing.port))])
  const outcome = readClientHello(heard)
  return outcome.kind === "value" ? outcome.value : undefined
}

async function runAgainstAlert(code: FaultCode, name: Judge, command: string) {
  const alert = kindOf(code).alert
  if (!alert) throw new Error(`${code} has no alert`)
  await using server = await serve((socket) => {
    socket.once("data", () => socket.end(alertRecord(alert)))
  })
  return await runClient(name, words(command, server.port))
}

function words(command: string, port: number): string[] {
  return command.replace("PORT", String(port)).split(" ")
}

function isEnough(received: Buffer): boolean {
  return readClientHello(received).kind !== "need-more"
}

async function tlsServer(name: string) {
  const server = createTlsServer(await keyPair(name), (socket) => {
    socket.on("error", () => {})
    socket.end(`hello ${String(socket.servername)}`)
  })
  return await listening(server)
}

/** What a relay does with a hello, and no more: reads the name, replays every byte, splices. */
async function passthrough(backendPort: number) {
  const names: string[] = []
  const server = await serve((visitor) => {
    let received = Buffer.alloc(0)
    visitor.on("data", function collect(piece: Buffer) {
      received = Buffer.concat([received, piece])
      const hello = readClientHello(received)
      if (hello.kind === "need-more") return
      visitor.off("data", collect)
      names.push(hello.kind === "value" ? String(hello.value.serverName) : hello.why.code)
      joinTo(visitor, backendPort).write(received)
    })
  })
  return Object.assign(server, { names })
}

/** Cuts the first record that passes into smaller ones, each in a segment of its own. */
async function recutter(backendPort: number, sizeBytes: number) {
  return await serve((visitor) => {
    visitor.once("data", (record: Buffer) => {
      const backend = joinTo(visitor, backendPort)
      const recut = cutEvery(record.subarray(5), sizeBytes)
      for (let at = 0; at < recut.length; at += sizeBytes + 5) backend.write(recut.subarray(at, at + sizeBytes + 5))
    })
  })
}

function joinTo(visitor: Socket, port: number): Socket {
  const backend = connect({ port, host: "127.0.0.1", noDelay: true })
  backend.on("error", () => {})
  visitor.pipe(backend).pipe(visitor)
  return backend
}

async function serve(greet: (socket: Socket) => void) {
  return await listening(
    createServer({ noDelay: true }, (socket) => {
      socket.on("error", () => {})
      greet(socket)
    }),
  )
}

async function listening(server: ReturnType<typeof createServer>) {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo // of a TCP server that listens
  return { port, [Symbol.asyncDispose]: async () => void server.close() }
}
