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
