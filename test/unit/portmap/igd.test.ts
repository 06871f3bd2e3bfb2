import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import {
  readDescription,
  readExternalAddress,
  readRefusal,
  readSearch,
  writeAction,
  writeAddMapping,
  writeSearch,
} from "../../../src/portmap/igd.ts"
import { address, at } from "../../support/loopback.ts"

const ROUTER = address("192.168.7.1")
const answer = (location: string) =>
  Buffer.from(`HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: urn:x\r\nLocation: ${location}\r\n\r\n`)

describe("the search", () => {
  test("asks for a gateway, and for nothing else", () => {
    expect(Buffer.from(writeSearch(at("192.168.7.1", 1900))).toString()).toContain(
      "\r\nMX: 1\r\nST: urn:schemas-upnp-org",
    )
  })
  test("leads to a page of the router", () => {
    const page = { at: at("192.168.7.1", 5000), path: "/rootDesc.xml" }
    expect(readSearch(answer("http://192.168.7.1:5000/rootDesc.xml"), ROUTER)).toEqual({ kind: "value", value: page })
  })
  test.each(["http://192.168.7.9/x", "https://192.168.7.1/x", "http://router/x", "nonsense"])(
    "and to nobody else's: %s",
    (location) => {
      expect(readSearch(answer(location), ROUTER).kind).toBe("refused")
    },
  )
  test("never throws", () => {
    fc.assert(
      fc.property(fc.string(), (text) => void readSearch(Buffer.from(`HTTP/1.1 200\r\nLocation: ${text}`), ROUTER)),
    )
  })
})

const DESCRIBED = { at: at("192.168.7.1", 5000), path: "/desc/root.xml" }
const service = (type: string, url: string) =>
  `<service><serviceType>urn:schemas-upnp-org:service:${type}</serviceType><controlURL>${url}</controlURL></service>`

describe("the description", () => {
  test("names where a connection is controlled, beside other services", () => {
    const xml = `<root>${service("Layer3Forwarding:1", "/l3")}${service("WANIPConnection:1", "ctl")}</root>`
    expect(readDescription(xml, DESCRIBED)).toEqual({
      kind: "value",
      value: {
        page: { at: DESCRIBED.at, path: "/desc/ctl" },
        service: "urn:schemas-upnp-org:service:WANIPConnection:1",
      },
    })
  })
  test("does not lead to another host, and a description without a connection is refused", () => {
    expect(readDescription(service("WANIPConnection:1", "http://10.0.0.1/ctl"), DESCRIBED).kind).toBe("refused")
    expect(readDescription(service("WANCommonInterfaceConfig:1", "/c"), DESCRIBED).kind).toBe("refused")
  })
  test("never throws", () => {
    fc.assert(fc.property(fc.string(), (text) => void readDescription(service("WANIPConnection:1", text), DESCRIBED)))
  })
})

test("an action carries its arguments in their order", () => {
  const given = writeAddMapping({ internal: at("192.168.7.2", 8443), externalPort: 443, lifetimeSeconds: 3600 })
  expect(writeAction("urn:x", "AddPortMapping", given)).toContain(
    '<u:AddPortMapping xmlns:u="urn:x"><NewRemoteHost></NewRemoteHost><NewExternalPort>443</NewExternalPort><NewProtocol>TCP</NewProtocol>' +
      "<NewInternalPort>8443</NewInternalPort><NewInternalClient>192.168.7.2</NewInternalClient><NewEnabled>1</NewEnabled>",
  )
})

test("what the router says to an action", () => {
  expect(readRefusal(200, "")).toBeUndefined()
  expect(readRefusal(500, "<errorCode>718</errorCode>")).toContain("somebody else")
  expect(readRefusal(404, "no")).toBe("it answers with 404")
  expect(readExternalAddress("<NewExternalIPAddress>203.0.113.9</NewExternalIPAddress>")).toBe("203.0.113.9")
  expect(readExternalAddress("<NewExternalIPAddress></NewExternalIPAddress>")).toBeUndefined()
})
