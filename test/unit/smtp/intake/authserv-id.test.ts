import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { readAuthservId } from "../../../../src/smtp/intake/authserv-id.ts"

describe("whose results a field has", () => {
  test.each([
    ["a name", " relay.bob.example; spf=pass\r\n", "relay.bob.example"],
    ["with a version", " relay.bob.example 1; none\r\n", "relay.bob.example"],
    ["behind comments, which nest", " (a (b) \\) c)\r\n\t(d) relay.bob.example;", "relay.bob.example"],
    ["on a folded line", "\r\n relay.bob.example\r\n", "relay.bob.example"],
    ["in quotes", ' "relay.bob\\.example";', "relay.bob.example"],
    ["in quotes over two lines", ' "relay.bob.\r\nexample";', "relay.bob.example"],
    ["without one, as some write it", " spf=pass\r\n", "spf"],
    ["with a comment behind it", " relay.bob.example(hello);", "relay.bob.example"],
  ])("%s", (_name, text, id) => {
    expect(readAuthservId(text)).toMatchObject({ kind: "value", value: id })
  })

  test.each(["", " ", "\r\n ", " (open", ' "open', " relay.bob.exa"])("is not known yet after %j", (text) => {
    expect(readAuthservId(text)).toEqual({ kind: "need-more" })
  })

  test("cannot be told without a word", () => {
    expect(readAuthservId(" ;")).toEqual({ kind: "refused", why: "no name" })
  })

  test("is the same when more stands behind it", () => {
    const id = readAuthservId(" a.example;")
    expect(readAuthservId(" a.example; spf=pass; (x")).toEqual(id)
  })

  test("never throws, and consumes no more than there is", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('ab.()\\"; \r\n=\0é')) }), (text) => {
        const read = readAuthservId(text)
        expect(read.kind === "value" ? read.consumedBytes <= text.length : true).toBe(true)
      }),
    )
  })
})
