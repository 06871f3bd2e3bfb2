import { expect, test } from "@jest/globals"
import { textTable, wrapped } from "../../../src/cli/text-table.ts"

test("columns are as wide as their widest cell, and the last one is wrapped under itself", () => {
  const rows = [
    ["alice/https", "dedicated", "the bytes pass end to end"],
    ["dave/smtp", "peer", "kept and delivered"],
  ]
  expect(textTable(rows, 42)).toBe(
    [
      "alice/https  dedicated  the bytes pass end",
      "                        to end",
      "dave/smtp    peer       kept and delivered",
    ].join("\n"),
  )
})

test("colours take no room", () => {
  expect(
    textTable(
      [
        ["\u001b[31mred\u001b[39m", "x"],
        ["four", "y"],
      ],
      80,
    ),
  ).toBe("\u001b[31mred\u001b[39m   x\nfour  y")
})

test("a row with fewer cells ends early and does not widen a column", () => {
  expect(textTable([["a", "b"], ["a longer sentence that stands alone"]], 80)).toBe(
    "a  b\na longer sentence that stands alone",
  )
})

test("a word that is longer than the line stands alone", () => {
  expect(wrapped("see https://example.com/long there", 8)).toEqual(["see", "https://example.com/long", "there"])
})
