import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { hostname, hostPattern, parentOf, patternText } from "../../../src/names/hostname.ts"

describe("a host name", () => {
  test.each([
    ["alice.example", "alice.example"],
    ["ALICE.Example", "alice.example"],
    ["alice.example.", "alice.example"],
    ["localhost", "localhost"],
    ["_acme-challenge.alice.example", "_acme-challenge.alice.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["a--b.example", "a--b.example"],
    ["4.example", "4.example"],
    [`${"a".repeat(63)}.example`, `${"a".repeat(63)}.example`],
  ])("%s is one", (text, normal) => {
    expect(hostname(text)).toBe(normal)
  })

  test.each([
    ["nothing", ""],
    ["only a dot", "."],
    ["two trailing dots", "alice.example.."],
    ["an empty label", "alice..example"],
    ["a leading dot", ".alice.example"],
    ["a label of 64 characters", `${"a".repeat(64)}.example`],
    ["a hyphen at the beginning", "-a.example"],
    ["a hyphen at the end", "a-.example"],
    ["a space", "alice example"],
    ["a slash", "alice/example"],
    ["a backslash", "alice\\example"],
    ["a NUL", "alice.example\0.evil.example"],
    ["a line end at the end", "alice.example\n"],
    ["a port", "alice.example:443"],
    ["an asterisk", "*.alice.example"],
    ["raw UTF-8", "bücher.example"],
    ["a Kelvin sign, which Unicode lowers to k", "\u212Aelvin.example"],
    ["an IPv4 literal", "192.0.2.1"],
    ["an IPv4 literal as resolvers would still read it", "127.1"],
    ["an IPv4 literal in hexadecimal", "0x7f000001"],
    ["an IPv6 literal", "2001:db8::1"],
    ["an IPv6 literal in brackets", "[2001:db8::1]"],
  ])("%s is none", (_what, text) => {
    expect(hostname(text)).toBeUndefined()
  })

  test("253 characters fit and 254 do not", () => {
    const name = `${"a.".repeat(126)}b`
    expect(name.length).toBe(253)
    expect(hostname(name)).toBe(name)
    expect(hostname(`${name}c`)).toBeUndefined()
  })

  test("normalising twice changes nothing, and nothing is ever thrown", () => {
    const nearlyNames = fc.oneof(
      fc.domain(),
      fc.string(),
      fc.string({ unit: fc.constantFrom(...Array.from("aZ0-._:\0é")) }),
    )
    fc.assert(
      fc.property(nearlyNames, (text) => {
        const name = hostname(text)
        if (name !== undefined) expect(hostname(name)).toBe(name)
      }),
    )
  })
})

describe("a host pattern", () => {
  test("is one name, or one label below a name", () => {
    expect(hostPattern("Alice.Example.")).toEqual({ name: "alice.example", wildcard: false })
    expect(hostPattern("*.Alice.Example")).toEqual({ name: "alice.example", wildcard: true })
  })

  test.each(["*", "*.", "a*.example", "*a.example", "*.*.example", "a.*.example", "**.example"])(
    "%s is none",
    (text) => {
      expect(hostPattern(text)).toBeUndefined()
    },
  )

  test("is written as it was read", () => {
    for (const text of ["alice.example", "*.alice.example"]) {
      const pattern = hostPattern(text)
      expect(pattern && patternText(pattern)).toBe(text)
    }
  })
})

test("the parent of a name is the name one label up", () => {
  const parent = (text: string) => {
    const name = hostname(text)
    return name && parentOf(name)
  }
  expect(parent("a.b.example")).toBe("b.example")
  expect(parent("example")).toBeUndefined()
})
