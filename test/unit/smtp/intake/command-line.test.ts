import fc from "fast-check"
import { expect, test } from "@jest/globals"
import { COMMAND_LINE_BYTES_MAX, readCommandLine } from "../../../../src/smtp/intake/command-line.ts"

test("a line ends in CRLF; what follows is left alone", () => {
  expect(readCommandLine(Buffer.from("NOOP\r\nQUIT\r\n"))).toEqual({ kind: "value", value: "NOOP", consumedBytes: 6 })
  expect(readCommandLine(Buffer.from("\r\n"))).toEqual({ kind: "value", value: "", consumedBytes: 2 })
})

test.each(["", "N", "NOOP", "NOOP\r"])("%j needs more", (text) => {
  expect(readCommandLine(Buffer.from(text))).toEqual({ kind: "need-more" })
})

test.each([
  ["a bare LF", "NOOP\n", "BARE_LINE_END"],
  ["nothing but a bare LF", "\n", "BARE_LINE_END"],
  ["a bare CR", "NOOP\rQUIT\r\n", "COMMAND_MALFORMED"],
  ["NUL", "NO\0OP\r\n", "COMMAND_MALFORMED"],
  ["a tab", "NOOP\tx\r\n", "COMMAND_MALFORMED"],
  ["a C1 control", "NOOP \u0085\r\n", "COMMAND_MALFORMED"],
])("%s is refused", (_name, text, why) => {
  expect(readCommandLine(Buffer.from(text))).toEqual({ kind: "refused", why })
})

test("what is not UTF-8 is refused", () => {
  expect(readCommandLine(Buffer.from("RCPT TO:<\xff@x>\r\n", "latin1"))).toEqual({
    kind: "refused",
    why: "COMMAND_MALFORMED",
  })
})

test("a line may be as long as the limit and no longer, whether its end has come or not", () => {
  const longest = "x".repeat(COMMAND_LINE_BYTES_MAX)
  expect(readCommandLine(Buffer.from(`${longest}\r\n`))).toMatchObject({ kind: "value" })
  expect(readCommandLine(Buffer.from(longest))).toEqual({ kind: "need-more" })
  expect(readCommandLine(Buffer.from(`${longest}x\r\n`))).toMatchObject({ kind: "refused" })
  expect(readCommandLine(Buffer.from(`${longest}x`))).toMatchObject({ kind: "refused" })
})

test("no bytes make it throw, and what it takes is never more than there is", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const line = readCommandLine(bytes)
      if (line.kind === "value") expect(line.consumedBytes).toBeLessThanOrEqual(bytes.length)
    }),
  )
})
