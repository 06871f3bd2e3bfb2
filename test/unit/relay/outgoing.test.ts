/** A relay and a box in one process: what programs at home can reach outside, from which address, and what they cannot. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buffer, text } from "node:stream/consumers"
import { systemClock } from "../../../src/clock/clock.ts"
import { startRelay, type Relay } from "../../../src/relay/relay.ts"
import { boxAtHome, type BoxAtHome } from "../../support/box-at-home.ts"
import { engines } from "../../support/engines.ts"
import { eventually } from "../../support/eventually.ts"
import { keptLog } from "../../support/kept-log.ts"
import { otherInternet } from "../../support/other-internet.ts"
import { freePort } from "../../support/program.ts"
import { testConfig } from "../../support/relay.ts"

const ALICES = "127.0.2.11"
const DAVES = "127.0.2.12"
const CAROLS_MX = "11.0.3.1"

describe.each(engines)("outgoing mail on engine: $name", ({ start }) => {
  let folder: string
  let relay: Relay
  let home: BoxAtHome
  let log: ReturnType<typeof keptLog>
  let carol: Server
  let tunnel: number
  const callers: string[] = []
  const resets: string[] = []
  const far: Socket[] = []
  const programs: Socket[] = []

  const configuration = (outgoing: string) =>
    testConfig(
      `
listeners:
  tunnel: { bind: ["127.0.0.1:${tunnel}"], protocol: tunnel }
  smtp: { bind: ["${ALICES}:0", "${DAVES}:0"], protocol: smtp }
friends:
  alice:
    domains: [alice.example]
    addresses: ["${ALICES}"]
    outgoing-mail: ${outgoing}
    routes: { smtp: { mode: dedicated, to: box } }
  dave:
    domains: [dave.example]
    addresses: ["${DAVES}"]
    outgoing-mail: true
    routes: { smtp: { mode: dedicated, to: box } }
`,
      folder,
    )

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "waypost-outgoing-"))
    for (const list of [callers, resets, far, programs]) list.length = 0
    carol = createServer({ allowHalfOpen: true }, (socket) => {
      callers.push(socket.remoteAddress ?? "")
      socket.on("error", ({ message }) => resets.push(message)).write("220 carol.example\r\n")
      far.push(socket)
      socket.pipe(socket)
    }).listen(0, "127.0.3.1")
    await once(carol, "listening")
    tunnel = await freePort()
    log = keptLog()
    relay = await startRelay(configuration("{ connections-max: 2 }"), {
      clock: systemClock,
      log,
      engine: start(log),
      internet: otherInternet({
        names: {
          "mx.carol.example": ["2a01::25", CAROLS_MX],
          "v6.carol.example": ["2a01::25"],
          "inside.carol.example": ["127.0.0.1", "10.0.0.5", "::ffff:127.0.0.1"],
          "relay.bob.example": ["11.0.0.1"],
          "closed.carol.example": ["11.0.3.9"],
        },
        hosts: {
          [CAROLS_MX]: { address: "127.0.3.1", port: (carol.address() as AddressInfo).port },
          "11.0.3.9": { address: "127.0.3.1", port: 1 },
        },
      }),
    })
    home = await boxAtHome(relay.config, "alice", { services: {}, outgoing: {} })
  })
  afterEach(async () => {
    await home[Symbol.asyncDispose]()
    await relay.stop(0)
    for (const socket of [...far, ...programs]) socket.destroy()
    carol.close()
    await rm(folder, { recursive: true })
  })

  /** Asks by HTTP CONNECT; resolves to the socket and the answer's first line. */
  async function asks(place: string, from = home): Promise<{ socket: Socket; answer: string; rest: Buffer }> {
    const { address, port } = from.box.outgoing ?? { address: "", port: 0 }
    const socket = connect({ host: address, port, allowHalfOpen: true })
    programs.push(socket)
    socket.on("error", () => {}).write(`CONNECT ${place} HTTP/1.1\r\n\r\n`)
    let received = Buffer.alloc(0)
    for await (const piece of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, piece])
      if (received.includes("\r\n\r\n")) break
    }
    const [answer = ""] = received.toString("latin1").split("\r\n")
    return { socket, answer, rest: received.subarray(received.indexOf("\r\n\r\n") + 4) }
  }

  test("a mail server at home talks with another one, which sees the friend's own address", async () => {
    const { socket, answer, rest } = await asks("mx.carol.example:25")
    expect(answer).toBe("HTTP/1.1 200 Connected")
    socket.end("EHLO alice.example\r\n")
    expect(rest.toString() + (await text(socket))).toBe("220 carol.example\r\nEHLO alice.example\r\n")
    expect(callers).toEqual([ALICES])
    await eventually("the relay has said so", () => log.all("outgoing").length === 1)
    const told = {
      friend: "alice",
      to: `${CAROLS_MX}:25`,
      from: ALICES,
      how: "both-finished",
      bytesOut: 20,
      bytesIn: 39,
    }
    expect(log.all("outgoing")).toMatchObject([told])
  })

  test("a large mail passes whole, both ways", async () => {
    const { socket } = await asks(`${CAROLS_MX}:25`)
    const mail = Buffer.alloc(20_000_000, "0123456789abcde\n")
    const echoed = buffer(socket)
    socket.end(mail)
    expect((await echoed).subarray(-mail.length).equals(mail)).toBe(true)
  })

  test("whatever is not somebody else's public mail server is refused, and says why", async () => {
    const refusals = {
      "mx.carol.example:80": "403 OUTGOING_PORT",
      "127.0.0.1:25": "403 OUTGOING_PLACE",
      "10.0.0.5:25": "403 OUTGOING_PLACE",
      "inside.carol.example:25": "403 OUTGOING_PLACE",
      "11.0.0.1:25": "403 OUTGOING_PLACE", // what the relay's own name means
      "relay.bob.example:25": "403 OUTGOING_PLACE",
      [`${DAVES}:25`]: "403 OUTGOING_PLACE",
      "v6.carol.example:25": "502 OUTGOING_FAMILY",
      "nobody.example:25": "502 BACKEND_UNKNOWN",
      "closed.carol.example:25": "502 BACKEND_REFUSES",
      "11.0.3.7:25": "504 BACKEND_SILENT",
    }
    for (const [place, refusal] of Object.entries(refusals)) {
      const { socket, answer } = await asks(place)
      expect([place, answer]).toEqual([place, `HTTP/1.1 ${refusal}`])
      await text(socket.end())
    }
    expect(callers).toEqual([])
  })

  test("no more than agreed are open at once, and the next one when one has ended", async () => {
    const first = await asks("mx.carol.example:25")
    await asks("mx.carol.example:25")
    const third = await asks("mx.carol.example:25")
    expect(third.answer).toBe("HTTP/1.1 429 OUTGOING_TOO_MANY")
    first.socket.end()
    await text(first.socket)
    await eventually("there is room again", async () => (await asks("mx.carol.example:25")).answer.includes("200"))
  })

  test("a program that resets resets the far end", async () => {
    const { socket } = await asks("mx.carol.example:25")
    socket.resetAndDestroy()
    await eventually("the far end was reset", () => resets.length === 1)
    await eventually("and the relay says so", () => log.all("outgoing").some(({ how }) => how === "right-broke"))
  })

  test("a reload that takes it away is heard at the next ask", async () => {
    await relay.reload(configuration("false"))
    expect((await asks("mx.carol.example:25")).answer).toBe("HTTP/1.1 403 OUTGOING_OFF")
  })

  test("each friend's mail leaves from that friend's address", async () => {
    await using daves = await boxAtHome(relay.config, "dave", { services: {}, outgoing: {} })
    await asks("mx.carol.example:25", daves)
    await asks("mx.carol.example:25")
    expect(callers).toEqual([DAVES, ALICES])
  })

  test("a relay that stops lets what is open end, and is not held by a box that may ask", async () => {
    const { socket, rest } = await asks("mx.carol.example:25")
    const stopped = relay.stop()
    socket.end("QUIT\r\n")
    expect(rest.toString() + (await text(socket))).toContain("QUIT")
    await stopped
    expect((await asks("mx.carol.example:25")).answer).toBe("HTTP/1.1 503 OUTGOING_AWAY")
  })
})
