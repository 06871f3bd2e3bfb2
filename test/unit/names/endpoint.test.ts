import { expect, test } from "@jest/globals"
import fc from "fast-check"
import { endpoint, endpointText, socketAddress } from "../../../src/names/endpoint.ts"

test.each([
  ["10.0.0.5:443", { host: "10.0.0.5", port: 443 }],
  ["[2001:db8::1]:443", { host: "2001:db8::1", port: 443 }],
  ["MX.Dave.Example:25", { host: "mx.dave.example", port: 25 }],
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["[::1]:65535", { host: "::1", port: 65535 }],
])("%s is an endpoint", (text, parsed) => {
  expect(endpoint(text)).toEqual(parsed)
})

test.each([
  "",
  ":25",
  "mx.dave.example",
  "mx.dave.example:",
  "mx.dave.example:65536",
  "mx.dave.example:999999",
  "mx.dave.example:+25",
  "mx.dave.example:25 ",
  "2001:db8::1:443",
  "[2001:db8::1]",
  "[10.0.0.5]:443",
  "[mx.dave.example]:25",
  "[]:25",
  "256.0.0.1:25",
  "a b:25",
])("%p is none", (text) => {
  expect(endpoint(text)).toBeUndefined()
})

test("only an address can be bound to", () => {
  expect(socketAddress("127.0.0.1:25")).toEqual({ address: "127.0.0.1", port: 25 })
  expect(socketAddress("[::1]:25")).toEqual({ address: "::1", port: 25 })
  expect(socketAddress("localhost:25")).toBeUndefined()
})

test("what is written is read back as the same endpoint", () => {
  const hosts = fc.oneof(
    fc.ipV4(),
    fc.ipV6().map((address) => `[${address}]`),
    fc.domain(),
  )
  fc.assert(
    fc.property(hosts, fc.integer({ min: 0, max: 65535 }), (host, port) => {
      const read = endpoint(`${host}:${port}`)
      if (read) expect(endpoint(endpointText(read))).toEqual(read)
    }),
  )
  expect(endpointText({ host: "mx.dave.example" as never, port: 25 })).toBe("mx.dave.example:25")
})
