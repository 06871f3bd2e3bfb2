import { expect, test } from "@jest/globals"
import { anything, assert as holds, property, string } from "fast-check"
import { hostname } from "../../../../src/names/hostname.ts"
import { accepted, answerOf, failed, type Answer } from "../../../../src/smtp/delivery/answer.ts"
import { outcomeText, readOutcome } from "../../../../src/smtp/transfer/outcome.ts"

const HOST = "box alice/smtp"
const FROM = {
  host: HOST,
  name: hostname("mail.alice.example"),
  tls: "TLSv1.3 X",
  proof: undefined,
  dsn: true,
} as const

test.each<[string, Answer]>([
  ["taken", accepted("250 2.0.0 Ok: queued", FROM)],
  ["refused in the server's words", answerOf("550 5.1.1 No such user", FROM)],
  ["to be tried again, in its words", answerOf("450 4.2.0 Later", FROM)],
  ["a fault without words", failed("refused", "HOME_LACKS_SMTPUTF8", "it does not offer SMTPUTF8", FROM)],
  ["a server that never spoke", failed("later", "HOME_AWAY", "connection refused")],
])("%s: survives the way", (_, answer) => {
  expect(readOutcome(outcomeText(new Map([["dave@dave.example", answer]])), ["dave@dave.example"], HOST)).toEqual(
    new Map([["dave@dave.example", answer]]),
  )
})

test("of whom the box says nothing, nobody knows anything: he is tried again", () => {
  const read = readOutcome(outcomeText(new Map()), ["dave@dave.example"], HOST)
  expect(read.get("dave@dave.example")).toMatchObject({ kind: "later", code: "HOME_AWAY" })
})

test("words of a box are made printable, and a code that is none becomes the general one", () => {
  const answers = [
    { recipient: "a@b", kind: "refused", reply: "550 5.7.1 a\u0007b\r\nc", code: "__proto__", detail: "x\ny" },
  ]
  expect(readOutcome(JSON.stringify({ answers }), ["a@b"], HOST).get("a@b")).toMatchObject({
    kind: "refused",
    code: "HOME_REFUSES",
    detail: "x y",
  })
})

test("nothing makes the reader throw, and everybody asked about has an answer", () => {
  const read = (text: string) => expect(readOutcome(text, ["a@b"], HOST).get("a@b")).toBeDefined()
  holds(property(string(), read))
  holds(property(anything(), (value) => read(JSON.stringify(value) ?? "")))
})
