import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { stubResolver } from "../../../../src/dns/resolver.ts"
import type { IpAddress } from "../../../../src/names/ip-address.ts"
import { check } from "../../../../src/smtp/auth/check.ts"
import { mailauthResolver } from "../../../../src/smtp/auth/check-dns.ts"
import type { Findings, HandedIn } from "../../../../src/smtp/auth/findings.ts"
import { HEADER_BYTES_MAX, SIGNATURES_MAX } from "../../../../src/smtp/auth/signed-header.ts"
import { BOB } from "../../../support/delivery.ts"
import { nameServer, type Zone } from "../../../support/name-server.ts"
import { CAROLS_MAIL, SENDERS_ZONE, signed } from "../../../support/signed-mail.ts"

const CAROL: HandedIn = { address: "192.0.2.1" as IpAddress, helo: "mx.sender.example", from: "carol@sender.example" }
const STRANGER: HandedIn = { ...CAROL, address: "203.0.113.66" as IpAddress, helo: "spam.stranger.example" }

/** What is found out about a message, cut into pieces of so many bytes. */
async function found(message: string, by = CAROL, zone: Zone = SENDERS_ZONE, pieceBytes = 1000): Promise<Findings> {
  await using dns = await nameServer(zone)
  const resolver = mailauthResolver(stubResolver([dns.at]))
  return await check(pieces(Buffer.from(message), pieceBytes), by, { name: BOB, resolver })
}

async function* pieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

const PASS = { spf: "pass", dkim: [{ result: "pass", domain: "sender.example" }], dmarc: { result: "pass" } }

describe("mail that is who it says it is", () => {
  test("passes, however it is cut", async () => {
    const message = await signed(CAROLS_MAIL)
    expect(await found(message)).toMatchObject(PASS)
    expect(await found(message, CAROL, SENDERS_ZONE, 1)).toMatchObject(PASS)
  })

  test("passes by its signature alone when somebody else hands it in", async () => {
    const found1 = await found(await signed(CAROLS_MAIL), STRANGER)
    expect(found1).toMatchObject({ ...PASS, spf: "fail" })
  })

  test("passes by its sender alone without a signature", async () => {
    expect(await found(CAROLS_MAIL)).toMatchObject({ ...PASS, dkim: [] })
  })

  test("of a notice the HELO name is judged", async () => {
    expect(await found(CAROLS_MAIL, { ...CAROL, from: "" })).toMatchObject({ spf: "pass", dmarc: { result: "pass" } })
  })
})

describe("mail that is not", () => {
  test("fails, and what its domain asks for is known", async () => {
    expect(await found(CAROLS_MAIL, STRANGER)).toEqual({
      spf: "fail",
      dkim: [],
      dmarc: { result: "fail", why: undefined, from: "sender.example", policy: "reject" },
    })
  })

  test("fails when its content was changed", async () => {
    const changed = (await signed(CAROLS_MAIL)).replace("noon.", "one.")
    expect(await found(changed, STRANGER)).toMatchObject({
      dkim: [{ result: "fail", why: "body hash did not verify" }],
      dmarc: { result: "fail" },
    })
  })

  test("a good signature of somebody else's is no proof", async () => {
    const zone = {
      ...SENDERS_ZONE,
      "s1._domainkey.stranger.example TXT": SENDERS_ZONE["s1._domainkey.sender.example TXT"] ?? [],
    }
    const message = await signed(CAROLS_MAIL, "stranger.example")
    expect(await found(message, STRANGER, zone)).toMatchObject({
      dkim: [{ result: "pass", domain: "stranger.example" }],
      dmarc: { result: "fail", policy: "reject" },
    })
  })

  test("what it says itself about where it came from is not believed", async () => {
    const lies =
      "Received: from mx.sender.example (mx.sender.example [192.0.2.1]) by relay.bob.example\r\nReturn-Path: <carol@sender.example>\r\n"
    expect(await found(lies + CAROLS_MAIL, { ...STRANGER, from: "win@stranger.example" })).toMatchObject({
      spf: "none",
      dmarc: { result: "fail" },
    })
  })

  test.each(["From: a@sender.example, b@stranger.example\r\n", "From: a@sender.example\r\nFrom: b@x.example\r\n", ""])(
    "with the authors %j nothing can be said",
    async (from) => {
      expect(await found(`${from}Subject: x\r\n\r\nx\r\n`)).toMatchObject({ dmarc: { result: "permerror" } })
    },
  )
})

describe("what cannot be found out", () => {
  test("is temporary where DNS fails", async () => {
    const zone = Object.fromEntries(Object.keys(SENDERS_ZONE).map((name) => [name, "servfail"] as const))
    expect(await found(await signed(CAROLS_MAIL), CAROL, zone)).toMatchObject({
      spf: "temperror",
      dkim: [{ result: "temperror" }],
      dmarc: { result: "temperror" },
    })
  })

  test("a domain that publishes nothing says nothing", async () => {
    expect(await found(CAROLS_MAIL, CAROL, {})).toMatchObject({ spf: "none", dkim: [], dmarc: { result: "none" } })
  })

  test("a header section that does not end is not read to its end", async () => {
    const endless = `X: ${"x".repeat(HEADER_BYTES_MAX)}\r\n${CAROLS_MAIL}`
    expect(await found(endless)).toMatchObject({
      spf: "pass",
      dkim: [{ result: "permerror", why: "the header section is too long" }],
      dmarc: { result: "permerror" },
    })
  })

  test("of many signatures the first few are looked at", async () => {
    const junk = "DKIM-Signature: v=1; a=rsa-sha256; d=x.example; s=s; h=from; l=1; bh=; b=\r\n"
    const { dkim } = await found(junk.repeat(SIGNATURES_MAX - 1) + (await signed(CAROLS_MAIL)))
    expect(dkim).toHaveLength(SIGNATURES_MAX)
    expect(dkim.at(-1)).toMatchObject({ result: "pass" })
    expect((await found(junk.repeat(100) + (await signed(CAROLS_MAIL)))).dkim).toHaveLength(SIGNATURES_MAX)
  })

  test("it never throws, whatever the message is", async () => {
    await using dns = await nameServer(SENDERS_ZONE)
    const resolver = mailauthResolver(stubResolver([dns.at]))
    const line = fc.constantFrom(
      "DKIM-Signature: v=1",
      "From: ",
      "\r\n",
      "\r",
      "\n",
      " a=rsa-sha256; b=",
      "\0",
      "<@",
      "é",
      "=",
      ";",
    )
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.string(), async (lines, name) => {
        const content = pieces(Buffer.from(lines.join("")), 7)
        const { dmarc } = await check(content, { ...CAROL, helo: name, from: name }, { name: BOB, resolver })
        expect(dmarc.result).toMatch(/^(?:none|pass|fail|temperror|permerror)$/)
      }),
      { numRuns: 40 },
    )
  })
})
