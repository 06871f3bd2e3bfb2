import { expect, test } from "@jest/globals"
import { socketAddress, type SocketAddress } from "../../../../src/names/endpoint.ts"
import { hostname } from "../../../../src/names/hostname.ts"
import { xclientCommand } from "../../../../src/prelude/smtp/xclient.ts"

const local = at("[2001:db8::2]:25")
const facts = { remote: at("[2001:db8::1]:1"), local, senderName: "carol.example" }

test("only what the server asks for is told, in any case", () => {
  expect(xclientCommand(["addr", "HELO"], facts)).toBe("XCLIENT ADDR=IPV6:2001:db8::1 HELO=carol.example\r\n")
})

test("a name behind the address is told where one is known", () => {
  const remoteName = hostname("mail.carol.example")
  expect(xclientCommand(["ADDR", "NAME"], { ...facts, remoteName })).toBe(
    "XCLIENT ADDR=IPV6:2001:db8::1 NAME=mail.carol.example\r\n",
  )
})

test("a server that does not ask for the address is told nothing", () => {
  expect(xclientCommand(["NAME", "LOGIN"], facts)).toBeUndefined()
  expect(xclientCommand([], facts)).toBeUndefined()
})

test("a value cannot end its attribute or its line (RFC 3461 §4, xtext)", () => {
  expect(xclientCommand(["ADDR", "HELO"], { ...facts, senderName: "a+b=c d" })).toContain("HELO=a+2Bb+3Dc+20d\r\n")
})

test("a name that would make the line too long is left to EHLO", () => {
  expect(xclientCommand(["ADDR", "HELO"], { ...facts, senderName: "+".repeat(255) })).toBe(
    "XCLIENT ADDR=IPV6:2001:db8::1\r\n",
  )
})

function at(text: string): SocketAddress {
  const address = socketAddress(text)
  if (!address) throw new Error(`the test's own data is wrong: ${text}`)
  return address
}
