import { expect, test } from "@jest/globals"
import fc from "fast-check"
import { readReply, replyText, REPLY_CHARS_MAX } from "../../../../src/smtp/delivery/reply.ts"

test.each([
  ["250 2.0.0 Ok: queued", { code: 250, status: "2.0.0", text: "Ok: queued" }],
  ["550 No", { code: 550, status: undefined, text: "No" }],
  ["550-5.1.1 No such\r\n550 5.1.1 user", { code: 550, status: "5.1.1", text: "No such user" }],
  ["550-Read\n550 5.7.1 this", { code: 550, status: "5.7.1", text: "Read this" }],
  ["450 5.7.1 which is it", { code: 450, status: undefined, text: "which is it" }],
  ["250", { code: 250, status: undefined, text: "" }],
  ["550 5.1.10", { code: 550, status: "5.1.10", text: "" }],
  ["550 5.1.1.7 no status", { code: 550, status: undefined, text: "5.1.1.7 no status" }],
  ["hello", { code: 0, status: undefined, text: "hello" }],
  ["", { code: 0, status: undefined, text: "" }],
  ["550 a\u0000b\u001b[31m\u009b", { code: 550, status: undefined, text: "a b [31m" }],
])("%j", (text, reply) => {
  expect(readReply(text)).toEqual(reply)
})

test("a reply is one line, printable and short, whatever comes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 2000 }), (text) => {
      const written = replyText(readReply(text))
      // oxlint-disable-next-line no-control-regex -- there must be none
      expect(written).not.toMatch(/[\u0000-\u001f\u007f]/)
      expect(written.length).toBeLessThan(REPLY_CHARS_MAX + 20)
    }),
  )
})
