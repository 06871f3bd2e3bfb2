/** What every engine must do, against real sockets on loopback. */
import { createHash, randomBytes } from "node:crypto"
import { createServer as createPlainServer, type IncomingMessage } from "node:http"
import { createServer, get } from "node:https"
import { text } from "node:stream/consumers"
import { setTimeout as sleep } from "node:timers/promises"
import { describe, expect, test } from "@jest/globals"
import type { Arrival, Decide } from "../../../src/net/engine.ts"
import { FaultError } from "../../../src/faults/faults.ts"
import { deadEnd, echo } from "../../support/backend.ts"
import { deafBackend } from "../../support/deaf-backend.ts"
import { openSockets } from "../../support/descriptors.ts"
import { carry } from "../../support/door.ts"
import { engineWorld } from "../../support/engine-world.ts"
import { engines } from "../../support/engines.ts"
import { eventually } from "../../support/eventually.ts"
import { fill } from "../../support/fill.ts"
import { keyPair } from "../../support/key-pair.ts"
import { at } from "../../support/loopback.ts"

const MIB = 1024 * 1024

describe.each(engines)("engine: $name", ({ start, adoptsFinished }) => {
  const world = engineWorld(() => start())
  const { service, listens, arrives, carried } = world

  describe("deciding", () => {
    test("asks at accept with no bytes when the server speaks first", async () => {
      const target = await service((peer) => peer.say("220 welcome"))
      const asked: Arrival[] = []
      const decide: Decide = (arrival) => (asked.push(arrival), carry(target.at))
      const relay = await listens(decide, { ask: "accept" })
      const alice = await arrives(relay.bound)
      await alice.hears("220 welcome")
      expect(asked).toMatchObject([{ received: new Uint8Array(0), finished: false, local: relay.bound }])
    })

    test("asks again with everything read so far, until it is enough, and replays it unchanged", async () => {
      const target = await service()
      const seen: string[] = []
      const relay = await listens(({ received }) => {
        seen.push(Buffer.from(received).toString())
        return received.length < 12 ? { do: "wait" } : carry(target.at)
      })
      const alice = await arrives(relay.bound)
      for (const byte of "hello, world") {
        alice.say(byte)
        await sleep(2)
      }
      await (await target.accepted()).hears("hello, world")
      expect(seen.at(-1)).toBe("hello, world")
      expect(seen.every((text, index) => text.startsWith(seen[index - 1] ?? ""))).toBe(true)
    })

    test("sends the prefix first and leaves out what was for us alone", async () => {
      const target = await service()
      const relay = await listens(() => carry(target.at, { prefix: Buffer.from("PROXY "), skipBytes: 6 }))
      const alice = await arrives(relay.bound)
      alice.say("header" + "hello")
      await (await target.accepted()).hears("PROXY hello")
    })

    test("says who came from where to which address", async () => {
      const asked: Arrival[] = []
      const decide: Decide = (arrival) => (asked.push(arrival), { do: "reset", why: "seen" })
      const relay = await listens(decide, { ask: "accept", bind: at("0.0.0.0") })
      await arrives(at("127.0.0.3", relay.bound.port), "127.0.0.2").catch(() => {})
      const seen = await eventually("asked", () => asked[0])
      expect(seen.remote.address).toBe("127.0.0.2")
      expect(seen.local).toEqual(at("127.0.0.3", relay.bound.port))
    })

    test("serves IPv6 beside an IPv4 wildcard on the same port", async () => {
      const target = await service(echo, "::1")
      const four = await listens(() => carry(target.at), { bind: at("0.0.0.0") })
      const six = await listens(() => carry(target.at), { bind: at("::", four.bound.port) })
      const alice = await arrives(at("::1", six.bound.port))
      alice.say("six")
      await alice.hears("six")
      alice.finish()
      expect(await six.reported()).toMatchObject({ local: "::1", remote: { address: "::1" }, how: "both-finished" })
    })

    test("answers and closes, and the answer arrives although more was sent", async () => {
      const relay = await listens(() => ({ do: "answer", bytes: Buffer.from("alert"), why: "test" }))
      const alice = await arrives(relay.bound)
      alice.say(randomBytes(MIB))
      await alice.hearsEnd()
      alice.finish()
      await alice.isClosed()
      expect(alice.heardText).toBe("alert")
      expect(alice.error).toBeUndefined()
      expect(await relay.reported()).toMatchObject({ how: "answered", bytesToVisitor: 5 })
    })

    test("cuts a visitor who was answered and does not go", async () => {
      const relay = await listens(() => ({ do: "answer", bytes: Buffer.from("alert"), why: "test" }))
      const alice = await arrives(relay.bound)
      alice.say("hello")
      await alice.hearsEnd()
      expect(await relay.reported()).toMatchObject({ how: "answered" })
    })

    test("resets", async () => {
      const relay = await listens(() => ({ do: "reset", why: "test" }))
      const alice = await arrives(relay.bound)
      alice.say("hello")
      await alice.isClosed()
      expect(alice.error).toBe("ECONNRESET")
      expect(await relay.reported()).toMatchObject({ how: "reset-by-us" })
    })

    test("gives a connection away as an ordinary socket, with the bytes read", async () => {
      const relay = await listens(({ received }) =>
        received.length < 10
          ? { do: "wait" }
          : { do: "adopt", skipBytes: 6, adopted: (socket) => void socket.pipe(socket) },
      )
      const alice = await arrives(relay.bound)
      alice.say("header")
      await sleep(20)
      alice.say("hello")
      await alice.hears("hello")
      const much = randomBytes(4 * MIB)
      alice.finish(much)
      await alice.hearsEnd()
      expect(alice.heard.subarray(5).equals(much)).toBe(true)
      expect(await relay.reported()).toMatchObject({ how: "adopted" })
      await relay.drained()
    })

    test("a connection that was given away can become TLS, and serve HTTP in it", async () => {
      const pair = await keyPair("alice.example")
      const web = createServer(pair, (_, answer) => answer.end("over TLS"))
      const relay = await listens(({ received }) =>
        received.length < 100
          ? { do: "wait" }
          : { do: "adopt", skipBytes: 0, adopted: (socket) => web.emit("connection", socket) },
      )
      const { address: host, port } = relay.bound
      const options = { host, port, ca: pair.cert, servername: "alice.example", agent: false }
      const answer = await new Promise<IncomingMessage>((resolve, reject) => get(options, resolve).on("error", reject))
      expect(await text(answer)).toBe("over TLS")
      web.close()
    })

    test("a connection that was given away can serve HTTP", async () => {
      const web = createPlainServer((request, answer) => request.pipe(answer))
      const relay = await listens(() => ({
        do: "adopt",
        skipBytes: 0,
        adopted: (socket) => web.emit("connection", socket),
      }))
      const alice = await arrives(relay.bound)
      const much = randomBytes(MIB)
      alice.say(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${much.length}\r\n\r\n`)
      alice.say(much)
      await alice.hearsEnd()
      expect(alice.heard.includes(much.subarray(-1024))).toBe(true)
      web.close()
    })

    test("gives a connection away at accept", async () => {
      const relay = await listens(
        () => ({ do: "adopt", skipBytes: 0, adopted: (socket) => socket.resume().end("220 hi") }),
        {
          ask: "accept",
        },
      )
      const alice = await arrives(relay.bound)
      await alice.hearsEnd()
      expect(alice.heardText).toBe("220 hi")
      alice.finish()
    })

    test("gives a connection away whose visitor has already finished", async () => {
      const relay = await listens(({ finished }) =>
        finished ? { do: "adopt", skipBytes: 0, adopted: (socket) => void socket.pipe(socket) } : { do: "wait" },
      )
      const alice = await arrives(relay.bound)
      alice.finish("all I have")
      await eventually("an end", () => alice.finished || alice.closed)
      expect(alice.heardText).toBe(adoptsFinished ? "all I have" : "")
    })

    test("resets only the connection for which deciding threw", async () => {
      const target = await service(echo)
      const relay = await listens(({ received }) => {
        if (received[0] === 0x21) throw new Error("a bug in deciding")
        return carry(target.at)
      })
      const [alice, stranger] = [await arrives(relay.bound), await arrives(relay.bound)]
      stranger.say("!")
      await stranger.isClosed()
      expect(stranger.error).toBe("ECONNRESET")
      alice.say("hello")
      await alice.hears("hello")
    })
  })

  describe("leaving before a decision", () => {
    const undecided: Decide = () => ({ do: "wait" })

    test("a visitor who says nothing is sent away at the deadline", async () => {
      const relay = await listens(undecided, { decideDeadlineMs: 200 })
      const alice = await arrives(relay.bound)
      await alice.hearsEnd()
      alice.finish()
      expect(await relay.reported()).toMatchObject({ how: "undecided" })
    })

    test("a visitor who drips bytes has the same deadline", async () => {
      const relay = await listens(undecided, { decideDeadlineMs: 300 })
      const alice = await arrives(relay.bound)
      const drip = setInterval(() => alice.say("."), 20)
      await eventually("sent away", () => alice.finished || alice.closed)
      clearInterval(drip)
      alice.finish()
      expect(await relay.reported()).toMatchObject({ how: "undecided" })
    })

    test("FIN in the middle of a hello closes the connection", async () => {
      const asked: Arrival[] = []
      const relay = await listens((arrival) => (asked.push({ ...arrival }), { do: "wait" }))
      const alice = await arrives(relay.bound)
      alice.finish("hel")
      await alice.isClosed()
      expect(asked.at(-1)?.finished).toBe(true)
      expect(await relay.reported()).toMatchObject({ how: "undecided" })
    })

    test("RST in the middle of a hello is only a report", async () => {
      const relay = await listens(undecided)
      const alice = await arrives(relay.bound)
      alice.say("hel")
      await sleep(50)
      alice.reset()
      expect(await relay.reported()).toMatchObject({ how: "undecided" })
    })

    test("FIN with the whole hello is still carried", async () => {
      const target = await service((peer) => peer.socket.on("end", () => peer.finish("late answer")))
      const relay = await listens(({ received }) => (received.length < 5 ? { do: "wait" } : carry(target.at)))
      const alice = await arrives(relay.bound)
      alice.finish("hello")
      await alice.hearsEnd()
      expect(alice.heardText).toBe("late answer")
      expect((await target.accepted()).heardText).toBe("hello")
    })
  })

  describe("carrying", () => {
    test("moves tens of megabytes both ways at once, every byte right", async () => {
      const up = randomBytes(24 * MIB)
      const down = randomBytes(32 * MIB)
      const { alice, home, relay } = await carried()
      alice.finish(up)
      home.finish(down)
      await Promise.all([alice.isClosed(), home.isClosed()])
      expect(sha256(alice.heard)).toBe(sha256(down))
      expect(sha256(home.heard)).toBe(sha256(Buffer.concat([Buffer.from("hello"), up])))
      expect(await relay.reported()).toMatchObject({
        how: "both-finished",
        bytesToBackend: 5 + up.length,
        bytesToVisitor: down.length,
      })
    })

    test("carries many small messages in order", async () => {
      const { alice } = await carried(echo)
      const lines = Array.from({ length: 2_000 }, (_, index) => `line ${index}\n`)
      for (const [index, line] of lines.entries()) {
        alice.say(line)
        if (index % 50 === 0) await sleep(1)
      }
      await alice.hears("hello" + lines.join(""))
    })

    test("when the visitor finishes, the backend's answer still arrives", async () => {
      const { alice, home } = await carried()
      alice.finish("question")
      await home.hearsEnd()
      await sleep(50)
      home.finish("answer")
      await alice.hearsEnd()
      expect(alice.heardText).toBe("answer")
      expect(home.heardText).toBe("helloquestion")
    })

    test("when the backend finishes, the visitor can still send", async () => {
      const { alice, home } = await carried()
      home.finish("bye")
      await alice.hearsEnd()
      await sleep(50)
      alice.finish("afterwards")
      await home.hearsEnd()
      expect(home.heardText).toBe("helloafterwards")
    })

    test("a reset by the backend reaches the visitor as a reset", async () => {
      const { alice, home, relay } = await carried()
      home.reset()
      await alice.isClosed()
      expect(alice.error).toBe("ECONNRESET")
      expect(await relay.reported()).toMatchObject({ how: "backend-reset" })
    })

    test("a reset by the visitor reaches the backend as a reset", async () => {
      const { alice, home, relay } = await carried()
      alice.reset()
      await home.isClosed()
      expect(home.error).toBe("ECONNRESET")
      expect(await relay.reported()).toMatchObject({ how: "visitor-reset" })
    })

    test("a reset after a half-close is still a reset", async () => {
      const { alice, home } = await carried()
      alice.finish()
      await home.hearsEnd()
      home.reset()
      await alice.isClosed()
      expect(alice.error).toBe("ECONNRESET")
    })

    test.each(["visitor", "backend"])("a %s who stops reading stops the sender", async (stopped) => {
      const { alice, home } = await carried()
      const [sender, reader] = stopped === "visitor" ? [home, alice] : [alice, home]
      reader.socket.pause()
      const held = await fill(sender)
      const before = process.memoryUsage().rss
      await sleep(300)
      expect(sender.socket.bytesWritten - sender.socket.writableLength).toBeLessThan(held + 2 * MIB)
      expect(process.memoryUsage().rss - before).toBeLessThan(32 * MIB)
      reader.socket.resume()
      await eventually("everything arrives", () => sender.socket.writableLength === 0)
      sender.finish()
      await reader.hearsEnd()
      expect(reader.heard.length).toBe(sender.socket.bytesWritten)
    })

    test("a connection on which nothing moves is cut at the idle deadline", async () => {
      const target = await service()
      const relay = await listens(() => carry(target.at, { idleDeadlineMs: 1_200 }))
      const alice = await arrives(relay.bound)
      alice.say("hello")
      const home = await target.accepted()
      for (let round = 0; round < 8; round += 1) {
        await sleep(200)
        alice.say(".")
      }
      expect(relay.reports).toEqual([])
      await Promise.all([alice.isClosed(), home.isClosed()])
      expect([alice.error, home.error]).toEqual(["ECONNRESET", "ECONNRESET"])
      expect(await relay.reported()).toMatchObject({ how: "idle", bytesToBackend: 13 })
    })

    test("an abort cuts both sides", async () => {
      const target = await service()
      const abort = new AbortController()
      const relay = await listens(() => carry(target.at, { signal: abort.signal, tag: "mine" }))
      const alice = await arrives(relay.bound)
      alice.say("hello")
      const home = await target.accepted()
      await home.hears("hello")
      abort.abort()
      await Promise.all([alice.isClosed(), home.isClosed()])
      expect([alice.error, home.error]).toEqual(["ECONNRESET", "ECONNRESET"])
      expect(await relay.reported()).toMatchObject({ how: "cancelled", tag: "mine" })
    })

    test("an abort that came before the decision carries nothing", async () => {
      const target = await service()
      const relay = await listens(() => carry(target.at, { signal: AbortSignal.abort() }))
      const alice = await arrives(relay.bound)
      alice.say("hello")
      await alice.isClosed()
      expect(target.peers).toEqual([])
      expect(await relay.reported()).toMatchObject({ how: "cancelled" })
    })
  })

  describe("dialling", () => {
    test("goes on to the next address when one refuses", async () => {
      const target = await service(echo)
      const relay = await listens(always(carry([await deadEnd(), await deadEnd(), target.at])))
      const alice = await arrives(relay.bound)
      alice.say("hello")
      await alice.hears("hello")
    })

    test("goes on to the next address when one is silent", async () => {
      const [deaf, target] = [await deafBackend(), await service(echo)]
      const relay = await listens(always(carry([deaf.at, target.at], { connectDeadlineMs: 600 })))
      const alice = await arrives(relay.bound)
      alice.say("hello")
      await alice.hears("hello")
      await deaf.close()
    })

    test("tells the visitor when nobody accepts", async () => {
      const words = Buffer.from("alert")
      const relay = await listens(always(carry(await deadEnd(), { onConnectFailure: words, tag: 7 })))
      const alice = await arrives(relay.bound)
      alice.say("hello")
      await alice.hearsEnd()
      alice.finish()
      expect(alice.heardText).toBe("alert")
      expect(await relay.reported()).toMatchObject({ how: "connect-failed", bytesToBackend: 0, tag: 7 })
    })

    test("resets the visitor when there is nothing to tell", async () => {
      const relay = await listens(always(carry(await deadEnd())))
      const alice = await arrives(relay.bound)
      alice.say("hello")
      await alice.isClosed()
      expect(alice.error).toBe("ECONNRESET")
    })

    test("gives up at the deadline", async () => {
      const deaf = await deafBackend()
      const relay = await listens(always(carry(deaf.at, { connectDeadlineMs: 300 })))
      const alice = await arrives(relay.bound)
      alice.say("hello")
      await alice.isClosed()
      expect(await relay.reported()).toMatchObject({ how: "connect-timeout" })
      await deaf.close()
    })

    test("an abort ends the dial", async () => {
      const deaf = await deafBackend()
      const abort = new AbortController()
      const relay = await listens(always(carry(deaf.at, { signal: abort.signal })))
      const alice = await arrives(relay.bound)
      alice.say("hello")
      await sleep(100)
      abort.abort()
      await alice.isClosed()
      expect(await relay.reported()).toMatchObject({ how: "cancelled" })
      await deaf.close()
    })
  })

  describe("opening and closing", () => {
    test("names the address and the remedy when it cannot be bound", async () => {
      const first = await listens(() => ({ do: "reset", why: "" }))
      const second = listens(() => ({ do: "reset", why: "" }), { bind: first.bound })
      const refused: unknown = await second.catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(FaultError)
      expect(refused).toMatchObject({ fault: { code: "BIND_REFUSED" } })
      expect(String(refused)).toContain(`127.0.0.1:${first.bound.port}`)
    })

    test("stop accepts no more, what is carried goes on, drained comes with the last", async () => {
      const { alice, home, relay } = await carried()
      await relay.stop()
      await expect(arrives(relay.bound)).rejects.toMatchObject({ code: "ECONNREFUSED" })
      let drained = false
      const draining = relay.drained().then(() => (drained = true))
      home.say("still here")
      await alice.hears("still here")
      expect(drained).toBe(false)
      alice.finish()
      home.finish()
      await draining
    })

    test("close cuts what is carried", async () => {
      const { alice, home, relay } = await carried()
      await world.engine.close()
      await Promise.all([alice.isClosed(), home.isClosed()])
      expect(await relay.reported()).toMatchObject({ how: "cancelled" })
    })

    test("serves 500 at once and gives every descriptor back", async () => {
      const target = await service(echo)
      const relay = await listens(() => carry(target.at))
      const before = openSockets()
      const crowd = await Promise.all(Array.from({ length: 500 }, () => arrives(relay.bound)))
      for (const [index, each] of crowd.entries()) each.say(`visitor ${index}`)
      await Promise.all(crowd.map((each, index) => each.hears(`visitor ${index}`)))
      for (const [index, each] of crowd.entries())
        if (index % 2 === 0) each.finish()
        else each.reset()
      await Promise.all(crowd.map((each) => each.isClosed()))
      await relay.drained()
      expect(relay.reports).toHaveLength(500)
      await eventually("descriptors are given back", () => openSockets() <= before)
    })
  })
})

/** The same decision for everybody. */
function always(decision: ReturnType<Decide>): Decide {
  return () => decision
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex")
}
