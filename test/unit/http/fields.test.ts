import { describe, expect, test } from "@jest/globals"
import { framingFault, hasPassed, requestFields, responseFields, trailerFields } from "../../../src/http/fields.ts"
import { ipAddress } from "../../../src/names/ip-address.ts"
import { name } from "../../support/web.ts"

const BOB = name("relay.bob.example")
const ABOUT = {
  remote: ipAddress("::1") ?? never(),
  scheme: "https",
  authority: "dave.example",
  by: BOB,
  httpVersion: "1.1",
} as const

describe("fields of a request", () => {
  test("that concern one connection end here, and so do those that Connection names", () => {
    const fields = requestFields(
      {
        connection: "Keep-Alive, X-One",
        "keep-alive": "5",
        "x-one": "1",
        te: "trailers",
        upgrade: "h2c",
        "proxy-authorization": "x",
        accept: "*/*",
      },
      ABOUT,
    )
    expect(Object.keys(fields).sort()).toEqual([
      "accept",
      "host",
      "via",
      "x-forwarded-for",
      "x-forwarded-host",
      "x-forwarded-proto",
    ])
  })

  test.each([
    "forwarded",
    "x-forwarded-for",
    "x_forwarded_for",
    "x-forwarded-port",
    "x-forwarded",
    "x-real-ip",
    "x_real-ip",
    "true-client-ip",
  ])("that claim who asked are not believed: %s", (field) =>
    expect(JSON.stringify(requestFields({ [field]: "6.6.6.6" }, ABOUT))).not.toContain("6.6.6.6"),
  )

  test("of ours cannot be taken away by Connection", () => {
    expect(requestFields({ connection: "X-Forwarded-For, Via" }, ABOUT)).toMatchObject({
      "x-forwarded-for": "::1",
      via: `1.1 ${BOB}`,
    })
  })
})

test("fields of an answer keep cookies apart", () => {
  expect(responseFields({ "set-cookie": ["a", "b"], connection: "x", x: "1", trailer: "y" }, "1.0", BOB)).toEqual({
    "set-cookie": ["a", "b"],
    via: `1.0 ${BOB}`,
  })
})

test("a trailer may not frame, route or authenticate", () => {
  expect(
    trailerFields({ "x-sum": "1", "content-length": "9", host: "x", authorization: "x", connection: "x" }),
  ).toEqual({ "x-sum": "1" })
})

test.each([
  [{}, "1.1", undefined],
  [{ "transfer-encoding": "CHUNKED" }, "1.1", undefined],
  [{ "transfer-encoding": "chunked" }, "1.0", "REQUEST_MALFORMED"],
  [{ "transfer-encoding": "chunked", "content-length": "1" }, "1.1", "REQUEST_MALFORMED"],
  [{ "transfer-encoding": "gzip, chunked" }, "1.1", "CODING_UNKNOWN"],
  [{ connection: "close, content-length" }, "1.1", "REQUEST_MALFORMED"],
])("framing %j in HTTP/%s: %s", (headers, version, code) => {
  expect(framingFault(headers, version)).toBe(code)
})

test("our own name among the hops of Via is a loop, others are not", () => {
  expect(hasPassed({ via: "1.0 home, HTTP/1.1 Relay.Bob.example (Waypost)" }, BOB)).toBe(true)
  expect(hasPassed({ via: "1.1 relay.bob.example.org, 1.1 relay" }, BOB)).toBe(false)
  expect(hasPassed({}, BOB)).toBe(false)
})

function never(): never {
  throw new Error("not an address")
}
