import { expect, test } from "@jest/globals"
import { ipAddress, type IpAddress } from "../../../../src/names/ip-address.ts"
import { xclientCommand } from "../../../../src/smtp/delivery/xclient.ts"

const ALL = ["NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT"]

test("only what the server asks for is told, and nothing without the address", () => {
  expect(xclientCommand(["addr", "helo"], visitor("mx.sender.example"))).toBe(
    "XCLIENT ADDR=192.0.2.1 HELO=mx.sender.example",
  )
  expect(xclientCommand(["NAME", "HELO"], visitor("mx.sender.example"))).toBeUndefined()
  expect(xclientCommand([], visitor("mx.sender.example"))).toBeUndefined()
})

test("what a stranger said is xtext: it cannot begin another attribute or another line", () => {
  const command = xclientCommand(ALL, visitor("a ADDR=10.0.0.1\r\nRSET+="))
  expect(command).toContain("HELO=a+20ADDR+3D10.0.0.1+0D+0ARSET+2B+3D")
  expect(command?.match(/ADDR=/g)).toHaveLength(1)
})

test("a HELO that does not fit into a command line is left out", () => {
  expect(xclientCommand(ALL, visitor("x".repeat(480)))).not.toContain("HELO")
})

function visitor(helo: string) {
  return {
    client: { address: ipAddress("192.0.2.1") as IpAddress, helo, tls: undefined },
    name: { kind: "none" },
  } as const
}
