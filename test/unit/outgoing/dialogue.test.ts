import { expect, test } from "@jest/globals"
import fc from "fast-check"
import { endpointText } from "../../../src/names/endpoint.ts"
import { nextStep, type Stage } from "../../../src/outgoing/dialogue.ts"
import type { Login } from "../../../src/outgoing/socks.ts"

const ALICE = { user: "alice", password: "over the hills" }
const REQUEST = "\x05\x01\x00\x03\x09a.example\x00\x19"
const login = (password: string) => `\x01\x05alice${String.fromCharCode(password.length)}${password}`
const connect = (more = "") => `CONNECT a.example:25 HTTP/1.1\r\n${more}\r\n`
const basic = (text: string) => `Proxy-Authorization: Basic ${Buffer.from(text).toString("base64")}\r\n`

test.each([
  ["SOCKS", `\x05\x01\x00${REQUEST}`, undefined, ["0500", "to a.example:25"]],
  [
    "SOCKS with a login",
    `\x05\x02\x00\x02${login(ALICE.password)}${REQUEST}`,
    ALICE,
    ["0502", "0100", "to a.example:25"],
  ],
  ["SOCKS with a wrong login", `\x05\x01\x02${login("guess")}${REQUEST}`, ALICE, ["0502", "OUTGOING_LOGIN 0101"]],
  ["SOCKS without the login that is wanted", `\x05\x01\x00${REQUEST}`, ALICE, ["OUTGOING_LOGIN 05ff"]],
  ["SOCKS that insists on a login where none is wanted", "\x05\x01\x02", undefined, ["OUTGOING_LOGIN 05ff"]],
  [
    "SOCKS with another command",
    "\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x19",
    undefined,
    ["0500", "SOCKS_COMMAND 05070001000000000000"],
  ],
  ["HTTP", connect(), undefined, ["to a.example:25"]],
  ["HTTP with a login", connect(basic(`${ALICE.user}:${ALICE.password}`)), ALICE, ["to a.example:25"]],
  ["HTTP with a wrong login", connect(basic("alice:guess")), ALICE, ["OUTGOING_LOGIN 407"]],
  ["HTTP without one", connect(), ALICE, ["OUTGOING_LOGIN 407"]],
  ["a web page's request", "GET / HTTP/1.1\r\n\r\n", undefined, ["METHOD_REFUSED 405"]],
  ["TLS", "\x16\x03\x01\x00\x05hello\r\n\r\n", undefined, ["REQUEST_MALFORMED 400"]],
  ["SOCKS 4", "\x04\x01\x00\x19\x7f\x00\x00\x01\x00\r\n\r\n", undefined, ["REQUEST_MALFORMED 400"]],
] as const)("%s", (_what, said, expected, right) => {
  expect(played([said], expected)).toEqual(right)
  expect(played(Array.from(said), expected)).toEqual(right)
})

test("nothing that a program can say makes it throw", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Stage>("first", "login", "request"),
      fc.uint8Array({ maxLength: 64 }),
      (stage, said) => {
        nextStep(stage, said, undefined)
        nextStep(stage, said, ALICE)
      },
    ),
  )
})

/** What the box says to these pieces, and where it ends. */
function played(pieces: readonly string[], expected: Login | undefined): readonly string[] {
  const heard: string[] = []
  let [stage, received]: [Stage, Buffer] = ["first", Buffer.alloc(0)]
  for (const piece of pieces) {
    received = Buffer.concat([received, Buffer.from(piece, "latin1")])
    for (;;) {
      const step = nextStep(stage, received, expected)
      if (step.do === "wait") break
      if (step.do === "connect") return [...heard, `to ${endpointText(step.to)}`]
      if (step.do === "refuse") return [...heard, `${step.code} ${inShort(step.bytes)}`]
      heard.push(inShort(step.bytes))
      received = received.subarray(step.consumedBytes)
      stage = step.next
    }
  }
  return heard
}

/** Hexadecimal, or the status of an HTTP answer. */
function inShort(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("latin1")
  return /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? Buffer.from(bytes).toString("hex")
}
