/** Mail that a relay hands to a box as a whole: passed on once, whatever breaks in between. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "@jest/globals"
import { silentLog } from "../../../src/log/log.ts"
import type { AgeRecipient } from "../../../src/names/age-recipient.ts"
import { newIdentity, recipientOf, sealer } from "../../../src/seal/seal.ts"
import { sealIdentity } from "../../../src/seal/identity.ts"
import { letterText } from "../../../src/smtp/transfer/letter.ts"
import type { MessageId } from "../../../src/store/spool.ts"
import { serviceName, type ServiceName } from "../../../src/tunnel/wire.ts"
import { BOB } from "../../support/delivery.ts"
import { CONTENT, hand, letter, mailHome, pieces, SMTP } from "../../support/handed-mail.ts"
import { nextHop, type NextHop } from "../../support/next-hop.ts"
import { freePort } from "../../support/program.ts"

let folder: string
let hop: NextHop
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "waypost-box-"))
  hop = await nextHop()
})
afterEach(async () => {
  await hop[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

function box(port = hop.port) {
  return mailHome(folder, port, silentLog)
}

const handed = { service: SMTP, contentBytes: 0 }

test("mail is passed on as it came, and answered with the server's own words", async () => {
  const home = await box()
  expect(await hand(home)).toEqual(["accepted 250 2.0.0 Ok: queued"])
  expect(hop.messages).toMatchObject([{ from: "carol@sender.example", to: ["dave@dave.example"] }])
  expect(hop.messages[0]?.content.toString()).toBe(CONTENT)
  expect(hop.sessions[0]?.commands[0]).toBe(`EHLO ${BOB}`)
  home.close()
})

test("the same mail again is answered, and not passed on; also after the box was killed", async () => {
  const home = await box()
  await hand(home)
  expect(await hand(home)).toEqual(["accepted 250 2.0.0 Ok: queued"])
  const next = await box()
  expect(await hand(next)).toEqual(["accepted 250 2.0.0 Ok: queued"])
  expect(hop.messages).toHaveLength(1)
  home.close()
  next.close()
})

test("two hands at the same time pass one mail on once", async () => {
  const home = await box()
  const both = await Promise.all([hand(home), hand(home)])
  expect(both).toEqual([["accepted 250 2.0.0 Ok: queued"], ["accepted 250 2.0.0 Ok: queued"]])
  expect(hop.messages).toHaveLength(1)
  home.close()
})

test("another relay cannot say that this mail was taken", async () => {
  const home = await box()
  await hand(home, letter(), pieces(CONTENT), "mallory")
  await hand(home)
  expect(hop.messages).toHaveLength(2)
  home.close()
})

test("whoever was refused is asked for again, and who has it is not", async () => {
  const home = await box()
  const both = letter(["dave@dave.example", "erin@dave.example"])
  hop.script = { on: (line) => (line.includes("erin") ? "450 4.2.0 Later" : undefined) }
  expect(await hand(home, both)).toEqual(["accepted 250 2.0.0 Ok: queued", "later 450 4.2.0 Later"])
  hop.script = {}
  expect(await hand(home, both)).toEqual(["accepted 250 2.0.0 Ok: queued", "accepted 250 2.0.0 Ok: queued"])
  expect(hop.messages.map(({ to }) => to)).toEqual([["dave@dave.example"], ["erin@dave.example"]])
  home.close()
})

test("half a mail is never passed on: the server does not see its end", async () => {
  const home = await box()
  const half = (async function* () {
    yield Buffer.from(CONTENT.slice(0, 20))
    throw new Error("the relay went away")
  })()
  expect(await hand(home, letter(), half)).toEqual(["later"])
  expect(hop.messages).toEqual([])
  expect(await hand(home)).toEqual(["accepted 250 2.0.0 Ok: queued"])
  home.close()
})

test("content is not asked for before the server wants it", async () => {
  const home = await box()
  hop.script = { on: (line) => (line.startsWith("RCPT") ? "550 5.1.1 Unknown" : undefined) }
  let read = false
  const content = (async function* () {
    read = true
    yield Buffer.from(CONTENT)
  })()
  expect(await hand(home, letter(), content)).toEqual(["refused 550 5.1.1 Unknown"])
  expect(read).toBe(false)
  home.close()
})

test("a server that is away is a reason to come again, and is said when the relay asks", async () => {
  const home = await box(await freePort())
  expect(await home.takesFrom("bob").offers(SMTP)).toBe(false)
  expect(await hand(home)).toEqual(["later"])
  home.close()
})

test("one connection takes mail after mail; one that was closed meanwhile is no failure", async () => {
  const home = await box()
  const other = letter(undefined, { id: "bcdefghijklmnopq" as MessageId })
  await hand(home)
  await hand(home, other)
  expect(hop.sessions).toHaveLength(1)
  hop.script = { on: (line) => (line.startsWith("MAIL") && hop.sessions.length === 1 ? "drop" : undefined) }
  const third = letter(undefined, { id: "cdefghijklmnopqr" as MessageId })
  expect(await hand(home, third)).toEqual(["accepted 250 2.0.0 Ok: queued"])
  home.close()
})

test("UTF-8 in a header is not sent to a server without SMTPUTF8, and the content is still whole where there is none", async () => {
  const home = await box()
  hop.script = { extensions: ["8BITMIME"] }
  const odd = "Subject: zażółć\r\n\r\nx\r\n"
  const utf8 = letter(undefined, { smtputf8: true, sizeBytes: Buffer.byteLength(odd) })
  expect(await hand(home, utf8, pieces(odd))).toEqual(["refused"])
  const plain = letter(undefined, { smtputf8: true, id: "bcdefghijklmnopq" as MessageId })
  expect(await hand(home, plain, pieces(CONTENT.slice(0, 9), CONTENT.slice(9)))).toEqual([
    "accepted 250 2.0.0 Ok: queued",
  ])
  expect(hop.messages[0]?.content.toString()).toBe(CONTENT)
  home.close()
})

test("sealed mail is opened here, and mail that was sealed to another key is not passed on", async () => {
  const home = await box()
  const sealed = async (to: AgeRecipient) => {
    const shut: Uint8Array[] = []
    const sealing = await sealer(to, async (piece) => void shut.push(piece))
    await sealing.write(Buffer.from(CONTENT))
    await sealing.end()
    return pieces(...shut.map((piece) => Buffer.from(piece)))
  }
  const shut = letter(undefined, { sealed: true })
  const another = await sealed(await recipientOf(await newIdentity()))
  const told = await home.takesFrom("bob").take({ ...handed, about: letterText(shut), content: another })
  expect(JSON.parse(told ?? "")).toMatchObject({ answers: [{ kind: "later", code: "HOME_CANNOT_OPEN" }] })
  expect(hop.messages).toEqual([])
  const { recipient } = await sealIdentity(folder)
  expect(await hand(home, shut, await sealed(recipient))).toEqual(["accepted 250 2.0.0 Ok: queued"])
  expect(hop.messages[0]?.content.toString()).toBe(CONTENT)
  home.close()
})

test("what is no letter, and what is for no service of this box, is not answered for", async () => {
  const home = await box()
  const takes = home.takesFrom("bob")
  expect(await takes.take({ service: SMTP, about: "{}", contentBytes: 0, content: pieces() })).toBeUndefined()
  const web = serviceName("https") as ServiceName
  expect(
    await takes.take({ service: web, about: letterText(letter()), contentBytes: 0, content: pieces() }),
  ).toBeUndefined()
  expect(await takes.offers(web)).toBeUndefined()
  expect(await takes.offers(SMTP)).toBe(true)
  home.close()
})
