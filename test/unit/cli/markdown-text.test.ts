import { expect, test } from "@jest/globals"
import { markdownText } from "../../../src/cli/markdown-text.ts"

test("paragraphs are as wide as the terminal, items stay on lines of their own", () => {
  expect(markdownText("One two\nthree four five.\n\n- first\n  item\n- second", 16)).toBe(
    "One two three\nfour five.\n\n- first item\n- second",
  )
})

test("code and tables keep their lines", () => {
  const block = "```sh\nnpm run waypost -- check -c examples/first-relay.yaml\n```"
  expect(markdownText(`${block}\n\n| a | b |\n|---|---|`, 16)).toBe(`${block}\n\n| a | b |\n|---|---|`)
})

test("marks that only a browser needs are taken off", () => {
  expect(markdownText("**What to do:** `promise: sealed`, see [page](faults.md) and [x.md](x.md).", 200)).toBe(
    "What to do: promise: sealed, see page (faults.md) and x.md.",
  )
})
