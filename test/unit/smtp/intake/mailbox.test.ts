import fc from "fast-check"
import { expect, test } from "@jest/globals"
import { needsUtf8, readMailbox } from "../../../../src/smtp/intake/mailbox.ts"

test.each([
  ["a@b.example", "a", "b.example", "a@b.example"],
  ["A.b+c@B.Example", "A.b+c", "b.example", "A.b+c@B.Example"],
  ["!#$%&'*+/=?^_`{|}~-@b.example", "!#$%&'*+/=?^_`{|}~-", "b.example", "!#$%&'*+/=?^_`{|}~-@b.example"],
  ['"a b"@b.example', "a b", "b.example", '"a b"@b.example'],
  ['"a@b"@c.example', "a@b", "c.example", '"a@b"@c.example'],
  ['"a\\"b\\\\c"@d.example', 'a"b\\c', "d.example", '"a\\"b\\\\c"@d.example'],
  ['"needless"@b.example', "needless", "b.example", "needless@b.example"],
  ['"\\n\\e"@b.example', "ne", "b.example", "ne@b.example"],
  ['">"@b.example', ">", "b.example", '">"@b.example'],
  ["dot.@b.example", "dot.", "b.example", '"dot."@b.example'],
  ["two..dots@b.example", "two..dots", "b.example", '"two..dots"@b.example'],
  ["a@xn--jgeva-dua.ee", "a", "xn--jgeva-dua.ee", "a@xn--jgeva-dua.ee"],
  ["a@jõgeva.ee", "a", "xn--jgeva-dua.ee", "a@xn--jgeva-dua.ee"],
  ["jõgeva@b.example", "jõgeva", "b.example", "jõgeva@b.example"],
  ["a@under_score.example", "a", "under_score.example", "a@under_score.example"],
  ["a@localhost", "a", "localhost", "a@localhost"],
  ["a@[192.0.2.1]", "a", undefined, "a@[192.0.2.1]"],
  ["a@[IPv6:2001:db8::1]", "a", undefined, "a@[IPv6:2001:db8::1]"],
])("%s is the local part %s at %s", (path, localPart, domain, text) => {
  expect(readMailbox(path)).toEqual({ kind: "value", value: { localPart, domain, text } })
})

test.each(["@relay.example:a@b.example", "@a,@b:c@d", "a@b@c.example", "a@b.example@evil.example", "@"])(
  "%s asks for a second hop",
  (path) => {
    expect(readMailbox(path)).toEqual({ kind: "routed" })
  },
)

test.each([
  "",
  "a",
  "a@",
  "a b@c.example",
  'a"b@c.example',
  '"a"b@c.example',
  '"a@b.example',
  "a@b..example",
  "a@.example",
  "a@b.example.",
  "a@-b.example",
  "a@b c",
  "a@192.0.2.1",
  "a@[192.0.2.1",
  "a(comment)@b.example",
  "a,b@c.example",
  "a:b@c.example",
  "a<b@c.example",
  "zero\u200bwidth@b.example",
  "turned\u202eright@b.example",
  "\ufffd@b.example",
  `${"x".repeat(250)}@b.example`,
])("%j is no mailbox", (path) => {
  expect(readMailbox(path)).toEqual({ kind: "malformed" })
})

test("a long local part is taken as long as the path is not too long: real senders exceed 64 octets", () => {
  expect(readMailbox(`${"x".repeat(200)}@b.example`)).toMatchObject({ kind: "value" })
})

test("only ASCII does without SMTPUTF8", () => {
  expect(needsUtf8("a@xn--jgeva-dua.ee")).toBe(false)
  expect(needsUtf8("a@jõgeva.ee")).toBe(true)
})

test("what it sends on is read back as the same mailbox, whatever the text was", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.emailAddress(), fc.string({ unit: "binary" }), fc.stringMatching(/^"[ -~]*"@b\.example$/)),
      (path) => {
        const read = readMailbox(path)
        if (read.kind === "value") expect(readMailbox(read.value.text)).toEqual(read)
      },
    ),
    { numRuns: 1000 },
  )
})
