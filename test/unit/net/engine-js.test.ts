/** What only the JavaScript engine can be asked: it takes its limits as values. */
import { afterEach, beforeEach, expect, test } from "@jest/globals"
import { javascriptEngine } from "../../../src/net/engine-js.ts"
import type { Engine } from "../../../src/net/engine.ts"
import { systemClock } from "../../../src/clock/clock.ts"
import { backend, echo, type Backend } from "../../support/backend.ts"
import { highestDescriptor, openSockets } from "../../support/descriptors.ts"
import { carry, door } from "../../support/door.ts"
import { eventually } from "../../support/eventually.ts"
import { keptLog, type KeptLog } from "../../support/kept-log.ts"
import type { Peer } from "../../support/peer.ts"
import { visitor } from "../../support/visitor.ts"

/** Enough for some connections of which visitor, both ends in the engine and the backend are all in this process. */
const ROOM = 80

let engine: Engine
let log: KeptLog
let home: Backend
let crowd: Peer[]

beforeEach(async () => {
  log = keptLog()
  home = await backend(echo)
  engine = javascriptEngine({ clock: systemClock, log, descriptorsMax: highestDescriptor() + ROOM })
  crowd = []
})

afterEach(async () => {
  await engine.close()
  for (const each of crowd) each.socket.destroy()
  await home.close()
})

test("out of descriptors: newcomers are reset, those inside are unhurt, and places come free again", async () => {
  const relay = await door(engine, () => carry(home.at))
  const before = openSockets()
  const comes = async (): Promise<boolean> => {
    const alice = await visitor(relay.bound).catch(() => undefined) // sent away before it noticed that it was there
    if (!alice) return false
    crowd.push(alice)
    alice.say("hello")
    await eventually("served or sent away", () => alice.heardText === "hello" || alice.closed)
    return !alice.closed
  }
  let served = 0
  while (await comes()) served += 1
  expect(served).toBeGreaterThan(ROOM / 8)
  expect(log.all("accept-failed")).toMatchObject([{ code: "EMFILE" }])
  crowd[0]?.say(", still here")
  await crowd[0]?.hears("hello, still here")

  for (const each of crowd) each.socket.destroy()
  await eventually("all places are free", () => openSockets() <= before)
  for (let again = 0; again < served; again += 1) expect(await comes()).toBe(true)
})

test("what throws while it takes a connection or a report costs that connection, and a line in the log", async () => {
  const bug = (): never => {
    throw new Error("a bug elsewhere")
  }
  const relay = await door(engine, ({ received }) =>
    received[0] === 0x21 ? { do: "adopt", skipBytes: 0, adopted: bug } : carry(home.at, { tag: "carried" }),
  )
  const reporting = await door(engine, () => ({ do: "reset", why: "" }), { ended: bug })
  const [alice, stranger, other] = [
    await visitor(relay.bound),
    await visitor(relay.bound),
    await visitor(reporting.bound),
  ]
  crowd.push(alice, stranger, other)
  stranger.say("!")
  other.say("!")
  await Promise.all([stranger.isClosed(), other.isClosed()])
  alice.say("hello")
  await alice.hears("hello")
  expect(stranger.error).toBe("ECONNRESET")
  await eventually("both are logged", () => log.all("connection-fault").length === 2)
})

test("one signal may be for many connections", async () => {
  const warnings: Error[] = []
  const note = (warning: Error): void => void warnings.push(warning)
  process.on("warning", note)
  const abort = new AbortController()
  const relay = await door(engine, () => carry(home.at, { signal: abort.signal }))
  for (let count = 0; count < 12; count += 1) crowd.push(await visitor(relay.bound))
  for (const each of crowd) each.say("hello")
  await Promise.all(crowd.map((each) => each.hears("hello")))
  abort.abort()
  await Promise.all(crowd.map((each) => each.isClosed()))
  process.off("warning", note)
  expect(warnings).toEqual([])
})
