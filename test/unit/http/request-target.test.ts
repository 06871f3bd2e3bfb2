import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { readRequestTarget, type RequestLine } from "../../../src/http/request-target.ts"

const LINE: RequestLine = { method: "GET", target: "/", hosts: ["dave.example"], scheme: "http" }

describe("the four forms of a target", () => {
  test.each([
    ["origin", {}, { kind: "resource", host: "dave.example", authority: "dave.example", target: "/" }],
    [
      "origin, with a port",
      { hosts: ["Dave.Example.:81"] },
      { kind: "resource", host: "dave.example", authority: "Dave.Example.:81", target: "/" },
    ],
    [
      "absolute",
      { target: "HTTP://erin.example/x?y" },
      { kind: "resource", host: "erin.example", authority: "erin.example", target: "/x?y" },
    ],
    [
      "absolute, with nothing behind the host",
      { target: "http://erin.example" },
      { kind: "resource", host: "erin.example", authority: "erin.example", target: "/" },
    ],
    ["absolute OPTIONS", { method: "OPTIONS", target: "http://erin.example" }, { kind: "server" }],
    ["asterisk", { method: "OPTIONS", target: "*" }, { kind: "server" }],
  ] as const)("%s", (_, change, asked) => {
    expect(readRequestTarget({ ...LINE, ...change })).toEqual(asked)
  })
})

describe("refused", () => {
  test.each([
    ["no Host", { hosts: [] }, "REQUEST_MALFORMED"],
    ["two Hosts", { hosts: ["dave.example", "dave.example"] }, "REQUEST_MALFORMED"],
    ["an empty Host", { hosts: [""] }, "REQUEST_MALFORMED"],
    ["a Host list", { hosts: ["dave.example, erin.example"] }, "REQUEST_MALFORMED"],
    ["a Host with a long port", { hosts: ["dave.example:123456"] }, "REQUEST_MALFORMED"],
    ["an address", { hosts: ["[::1]:80"] }, "HOST_UNKNOWN"],
    ["authority form without CONNECT", { target: "dave.example:80" }, "REQUEST_MALFORMED"],
    ["asterisk form without OPTIONS", { target: "*" }, "REQUEST_MALFORMED"],
    ["a fragment", { target: "/a#b" }, "REQUEST_MALFORMED"],
    ["user information", { target: "http://dave.example@erin.example/" }, "REQUEST_MALFORMED"],
    ["a backslash for a slash", { target: "http:\\\\erin.example/" }, "REQUEST_MALFORMED"],
    ["another scheme", { target: "https://dave.example/" }, "HOST_UNKNOWN"],
    ["a scheme of files", { target: "file:///etc/passwd" }, "REQUEST_MALFORMED"],
  ] as const)("%s", (_, change, code) => {
    expect(readRequestTarget({ ...LINE, ...change })).toMatchObject({ kind: "refused", code })
  })
})

test("whatever comes, it never throws, and what passes is in origin form", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.webUrl(), fc.domain())
  fc.assert(
    fc.property(text, fc.array(text, { maxLength: 2 }), (target, hosts) => {
      const asked = readRequestTarget({ ...LINE, target, hosts })
      expect(asked.kind !== "resource" || /^\/[\x21-\x7e]*$/.test(asked.target)).toBe(true)
    }),
  )
})
