import { expect, test } from "@jest/globals"
import { drawLadder, type Step } from "../../scenarios/cast/ladder.ts"

const STEPS: readonly Step[] = [
  { kind: "says", from: "Carol", to: "Alice", what: "hello", sealedFor: "Alice" },
  { kind: "says", from: "Bob", to: "Carol", what: "no", sealedFor: undefined },
  { kind: "happens", what: "a day passes" },
  { kind: "found", about: "Bob", what: 'never held "hello"' },
]

test("a ladder has a line for everybody who takes part, and says what is sealed for whom", () => {
  expect(drawLadder(STEPS).split("\n")).toEqual([
    "   Carol                      Bob                      Alice",
    "     │                         │                         │",
    "     │ hello (TLS, Alice's key)│                         │",
    "     ╞═════════════════════════╪═════════════════════════>",
    "     │                         │                         │",
    "     │ no                      │                         │",
    "     <─────────────────────────┤                         │",
    "     │                         │                         │",
    "   ~~ a day passes ~~",
    "     │                         │                         │",
    '     │                         * never held "hello"      │',
    "     │                         │                         │",
  ])
})
