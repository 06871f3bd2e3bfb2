import { expect, test } from "@jest/globals"
import {
  KNOWN_MS,
  RecipientMemory,
  RECIPIENTS_REMEMBERED_MAX,
  UNKNOWN_MS,
} from "../../../../src/smtp/cut-through/recipient-memory.ts"
import { readReply } from "../../../../src/smtp/delivery/reply.ts"
import { handClock } from "../../../support/hand-clock.ts"

test.each([
  ["250 2.1.5 Ok", true],
  ["251 Will forward", true],
  ["550 5.1.1 No such user", false],
  ["550 No such user", false],
  ["550 5.1.10 Null MX", false],
  ["553 5.1.6 Moved", false],
  ["550 5.2.1 Disabled", false],
  ["550 5.7.1 Not from you", undefined],
  ["554 Go away", undefined],
  ["450 4.2.0 Greylisted", undefined],
  ["452 4.2.2 Full", undefined],
])("%j is remembered as known: %j", (said, known) => {
  const memory = new RecipientMemory(handClock())
  memory.remember("dave", "Dave@dave.example", readReply(said))
  expect(memory.isKnown("dave", "dave@DAVE.example")).toBe(known)
  expect(memory.isKnown("erin", "dave@dave.example")).toBeUndefined()
})

test("what is remembered has its time", async () => {
  const clock = handClock()
  const memory = new RecipientMemory(clock)
  memory.remember("dave", "no@dave.example", readReply("550 5.1.1 No"))
  memory.remember("dave", "yes@dave.example", readReply("250 Ok"))
  await clock.turn(UNKNOWN_MS)
  expect(memory.isKnown("dave", "no@dave.example")).toBeUndefined()
  expect(memory.isKnown("dave", "yes@dave.example")).toBe(true)
  await clock.turn(KNOWN_MS)
  expect(memory.isKnown("dave", "yes@dave.example")).toBeUndefined()
})

test("it is bounded: who was not heard of for longest is forgotten", () => {
  const memory = new RecipientMemory(handClock())
  const ok = readReply("250 Ok")
  memory.remember("dave", "first@dave.example", ok)
  memory.remember("dave", "second@dave.example", ok)
  memory.remember("dave", "first@dave.example", ok)
  for (let number = 2; number < RECIPIENTS_REMEMBERED_MAX + 1; number++)
    memory.remember("dave", `r${number}@dave.example`, ok)
  expect(memory.isKnown("dave", "first@dave.example")).toBe(true)
  expect(memory.isKnown("dave", "second@dave.example")).toBeUndefined()
})
