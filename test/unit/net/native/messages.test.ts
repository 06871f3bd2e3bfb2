import { readFileSync } from "node:fs"
import { describe, expect, test } from "@jest/globals"
import {
  addressBytes,
  COMMAND,
  Commands,
  ENDED_HOW,
  EVENT,
  Events,
  EXCHANGE_BYTES,
  milliseconds,
  SLOT_BITS,
} from "../../../../src/net/native/messages.ts"
import { at } from "../../../support/loopback.ts"

const header = readFileSync(new URL("../../../../native/messages.h", import.meta.url), "utf8")

describe("the two halves agree", () => {
  test.each(Object.entries(EVENT))("on the number of the event %s", (name, number) => {
    expect(header).toContain(`EVENT_${name.toUpperCase()} = ${number},`)
  })

  test.each(Object.entries(COMMAND))("on the number of the command %s", (name, number) => {
    expect(header).toContain(`COMMAND_${name.toUpperCase()} = ${number},`)
  })

  test("on the order of the ways to end", () => {
    const names = [...header.matchAll(/\bHOW_([A-Z_]+),/g)].map(([, name = ""]) =>
      name.toLowerCase().replaceAll("_", "-"),
    )
    expect(names).toEqual(ENDED_HOW)
  })

  test("on how a connection is numbered", () => {
    expect(header).toContain(`#define SLOT_BITS ${SLOT_BITS}`)
  })

  test("on room for the largest event", () => {
    const source = readFileSync(new URL("../../../../native/deciding.c", import.meta.url), "utf8")
    const [, kib = ""] = /RECEIVED_BYTES_MAX \((\d+) \* 1024\)/.exec(source) ?? []
    expect(EXCHANGE_BYTES).toBeGreaterThan(Number(kib) * 1024 + 64)
  })
})

describe("events", () => {
  test("are read one after the other", () => {
    const events = new Events()
    const first = record(EVENT.asked, 1, addressBytes(at("192.0.2.7", 4711)), Buffer.from("hello"))
    const second = record(
      EVENT.ended,
      ENDED_HOW.indexOf("idle"),
      addressBytes(at("2001:db8::1", 443)),
      numbers(1, 2, 3),
    )
    events.exchange.set(Buffer.concat([first, second]))
    const seen: unknown[] = []
    events.each(first.length + second.length, () => {
      const { kind, listener, connection, generation, remote, local } = events
      const details =
        kind === EVENT.asked
          ? { finished: events.finished, received: Buffer.from(events.received).toString() }
          : { how: events.how, moved: [events.bytesToBackend, events.bytesToVisitor, events.endedAfterMs] }
      seen.push({ listener, connection, generation, remote, local, ...details })
    })
    const head = { listener: 3, connection: 2 ** SLOT_BITS + 5, generation: 9 }
    const [v4, v6] = [at("192.0.2.7", 4711), at("2001:db8::1", 443)]
    expect(seen).toEqual([
      { ...head, remote: v4, local: v4, finished: true, received: "hello" },
      { ...head, remote: v6, local: v6, how: "idle", moved: [1, 2, 3] },
    ])
  })
})

describe("commands", () => {
  const id = { connection: 2 ** SLOT_BITS + 5, generation: 7 }

  test("lie one behind the other, and a flush begins anew", () => {
    const commands = new Commands()
    commands.about(COMMAND.wait, id)
    commands.adopt(id, 6)
    expect(posted(commands)).toEqual([Buffer.concat([head(16, COMMAND.wait), head(20, COMMAND.adopt), u32(6)])])
    expect(posted(commands)).toEqual([])
  })

  test("say where to carry to, and what is said before and on failure", () => {
    const commands = new Commands()
    const to = [at("10.0.0.5", 443), at("2001:db8::5", 444)] as const
    const prefix = Buffer.from("PROXY")
    const onConnectFailure = Buffer.from("alert")
    const deadlines = { connectDeadlineMs: 5000, idleDeadlineMs: 3_600_000 }
    commands.carry(id, { do: "carry", to, prefix, onConnectFailure, skipBytes: 2, tag: 0, ...deadlines }, 7)
    const body = Buffer.concat([
      u32(2, 5000, 3_600_000, 2, 5, 8),
      ...to.map(addressBytes),
      Buffer.from(onConnectFailure),
      Buffer.from(prefix),
    ])
    expect(posted(commands)).toEqual([Buffer.concat([head(16 + body.length, COMMAND.carry), body])])
  })

  test("grow beyond the first buffer", () => {
    const commands = new Commands()
    const answer = Buffer.alloc(100_000, "x")
    commands.answer(id, answer)
    commands.about(COMMAND.reset, id)
    expect(posted(commands)).toEqual([
      Buffer.concat([head(16 + answer.length, COMMAND.answer), answer, head(16, COMMAND.reset)]),
    ])
  })

  function head(length: number, kind: number): Buffer {
    return Buffer.concat([u32(length), Buffer.of(kind, 0, 0, 0), u32(id.connection, id.generation)])
  }
})

test("an address is 16 bytes of IPv6 and the port in network order", () => {
  expect(hex(addressBytes(at("10.0.0.5", 443)))).toBe("00000000000000000000ffff0a00000501bb")
  expect(hex(addressBytes(at("2001:db8::5", 25)))).toBe("20010db80000000000000000000000050019")
})

test("a duration is whole, rounded up, and fits in 32 bits", () => {
  expect([0, 0.5, 1000, Infinity].map(milliseconds)).toEqual([0, 1, 1000, 0xffff_ffff])
})

function record(kind: number, detail: number, address: Uint8Array, details: Uint8Array): Buffer {
  const length = u32(52 + details.length)
  const head = Buffer.concat([length, Buffer.of(kind, detail, 3, 0), u32(2 ** SLOT_BITS + 5, 9)])
  return Buffer.concat([head, address, address, details])
}

function u32(...values: readonly number[]): Buffer {
  return Buffer.from(Uint32Array.from(values).buffer)
}

function numbers(...values: readonly number[]): Buffer {
  return Buffer.from(Float64Array.from(values).buffer)
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex")
}

function posted(commands: Commands): Buffer[] {
  const batches: Buffer[] = []
  commands.flush((bytes, length) => void batches.push(Buffer.from(bytes.subarray(0, length))))
  return batches
}
