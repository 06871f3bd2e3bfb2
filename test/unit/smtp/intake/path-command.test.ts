import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { readMail, readRcpt } from "../../../../src/smtp/intake/path-command.ts"

const PLAIN = {
  sizeBytes: undefined,
  body: "7bit",
  smtputf8: false,
  requireTls: false,
  ret: undefined,
  envid: undefined,
}

function refused(code: string) {
  return { kind: "refused", why: { code, detail: expect.any(String) } }
}

describe("MAIL", () => {
  test.each([
    "MAIL FROM:<a@b.example>",
    "mail from:<a@b.example>",
    "MAIL FROM: <a@b.example> ",
    "MAIL  FROM:<a@b.example>",
  ])("%s has a sender and nothing else", (line) => {
    const sender = { localPart: "a", domain: "b.example", text: "a@b.example" }
    expect(readMail(line)).toEqual({ kind: "value", value: { ...PLAIN, sender } })
  })

  test("takes the null sender", () => {
    expect(readMail("MAIL FROM:<>")).toEqual({ kind: "value", value: { ...PLAIN, sender: undefined } })
  })

  test("takes every parameter that is offered, in any case", () => {
    const line = "MAIL FROM:<jõgeva@b.example> SIZE=1234 body=8bitMime SMTPUTF8 ret=Hdrs ENVID=a+2Bb+3Dc"
    const parameters = { sizeBytes: 1234, body: "8bitmime", smtputf8: true, ret: "HDRS", envid: "a+b=c" }
    expect(readMail(line)).toMatchObject({ kind: "value", value: parameters })
  })

  test("knows REQUIRETLS only where it was offered (RFC 8689 §2)", () => {
    const line = "MAIL FROM:<a@b.example> REQUIRETLS"
    expect(readMail(line, true)).toMatchObject({ kind: "value", value: { requireTls: true } })
    expect(readMail(`${line}=1`, true)).toEqual(refused("PARAMETER_MALFORMED"))
    expect(readMail("MAIL FROM:<a@b.example>", true)).toMatchObject({ value: { requireTls: false } })
  })

  test.each(["FOO=bar", "FOO", "MT-PRIORITY=3", "AUTH=<>", "REQUIRETLS", "NOTIFY=NEVER", "=", "constructor=1"])(
    "the parameter %s is unknown",
    (parameter) => {
      expect(readMail(`MAIL FROM:<a@b.example> ${parameter}`)).toEqual(refused("PARAMETER_UNKNOWN"))
    },
  )

  test.each([
    "SIZE",
    "SIZE=",
    "SIZE=-1",
    "SIZE=1e3",
    `SIZE=${"9".repeat(21)}`,
    "BODY=BINARYMIME",
    "BODY",
    "SMTPUTF8=yes",
    "RET=BODY",
    "ENVID=a=b",
    "ENVID=a+0D+0Ab",
    "ENVID=a+b",
    `ENVID=${"x".repeat(101)}`,
    "SIZE=1 SIZE=1",
  ])("%s has no value that it could have", (parameters) => {
    expect(readMail(`MAIL FROM:<a@b.example> ${parameters}`)).toEqual(refused("PARAMETER_MALFORMED"))
  })

  test.each([
    "MAIL FROM:a@b.example",
    "MAIL FROM:<a@b.example",
    "MAIL FROM <a@b.example>",
    "MAIL FROM:<a@b.example>SIZE=1",
    "MAIL FROM:<@hop.example:a@b.example>",
    "MAIL FROM:<a>",
    "MAIL TO:<a@b.example>",
    "MAIL",
  ])("%s has no sender", (line) => {
    expect(readMail(line)).toEqual(refused("SENDER_MALFORMED"))
  })

  test("a non-ASCII sender needs SMTPUTF8", () => {
    expect(readMail("MAIL FROM:<a@jõgeva.ee>")).toEqual(refused("NEEDS_SMTPUTF8"))
    expect(readMail("MAIL FROM:<a@jõgeva.ee> SMTPUTF8")).toMatchObject({
      value: { sender: { text: "a@xn--jgeva-dua.ee" } },
    })
  })
})

describe("RCPT", () => {
  test("keeps what the sender wants to be told, per recipient", () => {
    const line = "RCPT TO:<d@dave.example> NOTIFY=SUCCESS,Delay ORCPT=rfc822;d+2Bx@dave.example"
    const recipient = { localPart: "d", domain: "dave.example", text: "d@dave.example" }
    const value = { recipient, notify: ["SUCCESS", "DELAY"], orcpt: "rfc822;d+x@dave.example" }
    expect(readRcpt(line, false)).toEqual({ kind: "value", value })
  })

  test("takes an internationalized ORCPT as it stands", () => {
    const read = readRcpt("RCPT TO:<d@dave.example> ORCPT=utf-8;jõgeva@dave.example", true)
    expect(read).toMatchObject({ value: { orcpt: "utf-8;jõgeva@dave.example" } })
  })

  test("knows postmaster without a domain", () => {
    expect(readRcpt("RCPT TO:<PostMaster>", false)).toMatchObject({ value: { recipient: "postmaster" } })
  })

  test.each([
    "NOTIFY=",
    "NOTIFY=NEVER,DELAY",
    "NOTIFY=SOMETIMES",
    "ORCPT=d@dave.example",
    "ORCPT=rfc822;",
    "ORCPT=rfc822;a b",
    `ORCPT=rfc822;${"x".repeat(500)}`,
  ])("%s is refused", (parameter) => {
    expect(readRcpt(`RCPT TO:<d@dave.example> ${parameter}`, false).kind).toBe("refused")
  })

  test.each([
    ["RCPT TO:<>", "ADDRESS_MALFORMED"],
    ["RCPT TO:<d>", "ADDRESS_MALFORMED"],
    ["RCPT TO:<@hop.example:d@dave.example>", "ROUTED_ADDRESS"],
    ["RCPT TO:<d@dave.example@evil.example>", "ROUTED_ADDRESS"],
    ["RCPT TO:<jõgeva@dave.example>", "NEEDS_SMTPUTF8"],
    ["RCPT TO:<d@dave.example> SIZE=1", "PARAMETER_UNKNOWN"],
  ])("%s is %s", (line, code) => {
    expect(readRcpt(line, false)).toEqual(refused(code))
  })
})

test("no line makes them throw or take long", () => {
  const hostile = fc
    .array(fc.constantFrom("MAIL FROM:", "RCPT TO:", "<", ">", '"', "\\", "@", " ", "a", "=", "+", ";"))
    .map((parts) => parts.join(""))
  fc.assert(
    fc.property(fc.oneof(hostile, fc.string()), (line) => {
      readMail(line)
      readRcpt(line, true)
    }),
    { numRuns: 1000 },
  )
  readMail(`MAIL FROM:<${'"\\'.repeat(1000)}`)
  readMail(`MAIL FROM:<a@b.example>${" a=b".repeat(500)} \u0001 `)
})
