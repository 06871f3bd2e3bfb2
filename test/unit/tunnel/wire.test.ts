import { expect, test } from "@jest/globals"
import { constantFrom, oneof, property, assert as holds, dictionary, string } from "fast-check"
import { hostname } from "../../../src/names/hostname.ts"
import { socketAddress, type SocketAddress } from "../../../src/names/endpoint.ts"
import { readStreamRequest, serviceName, streamHeaders, type StreamRequest } from "../../../src/tunnel/wire.ts"

const at = (text: string) => socketAddress(text) as SocketAddress
const request: StreamRequest = {
  service: serviceName("https") as NonNullable<ReturnType<typeof serviceName>>,
  remote: at("192.0.2.9:51000"),
  local: at("[2001:db8::1]:443"),
  serverName: hostname("www.alice.example"),
  alpn: ["h2", "http/1.1"],
}

test("a stream request survives the way through its headers", () => {
  expect(readStreamRequest(streamHeaders(request))).toEqual(request)
})

test("a request without name and ALPN has no header for them", () => {
  const bare = { ...request, serverName: undefined, alpn: [] }
  expect(Object.keys(streamHeaders(bare))).toEqual([":method", ":authority", "waypost-remote", "waypost-local"])
  expect(readStreamRequest(streamHeaders(bare))).toEqual(bare)
})

test.each([
  ["another method", { ":method": "GET" }],
  ["an address instead of a service", { ":authority": "192.168.1.1:80" }],
  ["a service with a path", { ":authority": "../router" }],
  ["no client address", { "waypost-remote": "" }],
  ["a client address that is a name", { "waypost-remote": "router.lan:80" }],
  ["a name that is none", { "waypost-server-name": "a b" }],
  ["an empty ALPN name", { "waypost-alpn": "h2,," }],
])("%s is not a stream request", (_what, change) => {
  expect(readStreamRequest({ ...streamHeaders(request), ...change })).toBeUndefined()
})

test("ALPN names that do not fit the header are left out, not mangled", () => {
  expect(streamHeaders({ ...request, alpn: ["a,b", "h2", ""] })["waypost-alpn"]).toBe("h2")
})

test("no header list makes the reader throw", () => {
  const name = oneof(constantFrom(...Object.keys(streamHeaders(request))), string())
  holds(property(dictionary(name, string()), (headers) => void readStreamRequest(headers)))
})
