import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { hostname } from "../../../../src/names/hostname.ts"
import { writeReport } from "../../../../src/smtp/dsn/report.ts"
import type { Original, Report, ReportedRecipient } from "../../../../src/smtp/dsn/reported.ts"
import { readMime, type MimePart } from "../../../support/mime.ts"

const BOB = hostname("relay.bob.example") as NonNullable<ReturnType<typeof hostname>>
const AT = Date.UTC(2026, 10, 20, 12, 0, 0)
const HEADER = "From: carol@sender.example\r\nSubject: noon\r\nMessage-ID: <1@sender.example>\r\n"

describe("a failure notice", () => {
  test("is a report in three parts, from nobody, to the sender", () => {
    const { to, bytes, smtputf8 } = writeReport(report())
    const mail = readMime(bytes)
    expect(to).toBe("carol@sender.example")
    expect(smtputf8).toBe(false)
    expect(mail.header("content-type")).toMatch(/^multipart\/report; report-type=delivery-status; boundary=/)
    expect(mail.header("auto-submitted")).toBe("auto-replied")
    expect(mail.header("to")).toBe("<carol@sender.example>")
    expect(mail.header("from")).toBe('"Mail delivery at relay.bob.example" <MAILER-DAEMON@relay.bob.example>')
    expect(mail.header("date")).toBe("Fri, 20 Nov 2026 12:00:00 +0000")
    expect(mail.header("message-id")).toBe("<abc234@relay.bob.example>")
    expect(mail.parts.map((part) => part.header("content-type"))).toEqual([
      "text/plain; charset=utf-8",
      "message/delivery-status",
      "text/rfc822-headers",
    ])
  })

  test("says for programs what RFC 3464 asks for", () => {
    expect(statusOf(report({ original: { envid: "id=1 +" } }))).toBe(
      [
        "Original-Envelope-Id: id=1 +",
        "Reporting-MTA: dns; relay.bob.example",
        "Received-From-MTA: dns; mx.sender.example",
        "Arrival-Date: Fri, 20 Nov 2026 11:00:00 +0000",
        "",
        "Original-Recipient: rfc822; dave+list@dave.example",
        "Final-Recipient: rfc822; dave@dave.example",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mx.dave.example",
        "Diagnostic-Code: smtp; 550 5.1.1 No such user",
        "Last-Attempt-Date: Fri, 20 Nov 2026 12:00:00 +0000",
        "",
      ].join("\r\n"),
    )
  })

  test("says the same for people", () => {
    const text = readMime(writeReport(report()).bytes).parts[0]?.text()
    expect(text).toContain("could not deliver your message to these recipients")
    expect(text).toContain("  <dave@dave.example>\r\n    The next host refuses the message")
    expect(text).toContain("    Its mail server said: 550 5.1.1 No such user")
  })

  test("names several recipients, each with an action of its own, and the worst in its subject", () => {
    const recipients = [
      recipient({ address: "a@dave.example", action: "relayed" }),
      recipient({ address: "b@dave.example", action: "delayed", retryUntil: AT + 3_600_000 }),
    ]
    const mail = readMime(writeReport(report({ recipients })).bytes)
    expect(mail.header("subject")).toBe("Your message is still on its way")
    const status = mail.parts[1]?.text() ?? ""
    expect(status.match(/^Action: \w+/gm)).toEqual(["Action: relayed", "Action: delayed"])
    expect(status.match(/^Will-Retry-Until: .*$/gm)).toEqual(["Will-Retry-Until: Fri, 20 Nov 2026 13:00:00 +0000"])
  })
})

describe("what is returned", () => {
  test("the header section, as it was", () => {
    expect(returnedIn(report()).text()).toBe(HEADER)
  })

  test("the whole message, when it is 7-bit", () => {
    const bytes = Buffer.from(`${HEADER}\r\nMeet me\r\n`)
    const returned = returnedIn(report({ original: { returned: { kind: "message", bytes } } }))
    expect(returned.header("content-type")).toBe("message/rfc822")
    expect(returned.text()).toBe(bytes.toString())
  })

  test.each([
    ["UTF-8", "Grüße\r\n"],
    ["a line of 999 bytes", `${"a".repeat(999)}\r\n`],
    ["a bare LF", "bare\nLF\r\n"],
    ["a NUL", "NUL\0\r\n"],
  ])("only the header section of a message with %s", (_, body) => {
    const bytes = Buffer.from(`${HEADER}\r\n${body}`)
    const returned = returnedIn(report({ original: { returned: { kind: "message", bytes } } }))
    expect(returned.header("content-type")).toBe("text/rfc822-headers")
    expect(returned.text()).toBe(HEADER)
  })

  test("a UTF-8 header in its own media type, encoded", () => {
    const bytes = Buffer.from("Subject: Grüße = gut \r\n")
    const returned = returnedIn(report({ original: { smtputf8: true, returned: { kind: "headers", bytes } } }))
    expect(returned.header("content-type")).toBe("message/global-headers")
    expect(returned.text()).toBe("Subject: Grüße = gut \r\n")
  })
})

describe("UTF-8", () => {
  test("a recipient with UTF-8 gets the international form", () => {
    const about = report({
      recipients: [recipient({ address: "döve@dave.example", orcpt: "utf-8;döve@dave.example" })],
    })
    const part = readMime(writeReport(about).bytes).parts[1]
    expect(part?.header("content-type")).toBe("message/global-delivery-status")
    expect(part?.text()).toContain("Original-Recipient: utf-8; döve@dave.example\r\n")
    expect(part?.text()).toContain("Final-Recipient: utf-8; döve@dave.example\r\n")
    expect(writeReport(about).smtputf8).toBe(false)
  })

  test("a sender with UTF-8 needs a host that knows SMTPUTF8", () => {
    const { bytes, smtputf8 } = writeReport(report({ original: { from: "jörg@sender.example" } }))
    expect(smtputf8).toBe(true)
    expect(readMime(bytes).header("to")).toBe("<jörg@sender.example>")
  })

  test("a reply in another script is not quoted where only ASCII may stand", () => {
    const status = statusOf(report({ recipients: [recipient({ reply: "550 用户不存在" })] }))
    expect(status).toContain("Diagnostic-Code: smtp; 550 ?????\r\n")
  })
})

describe("hostile values", () => {
  const hostile = "x\r\n\r\n--=_abc234\r\nBcc: victim@example\r\n\0"

  test("cannot add a field, a line or a part", () => {
    const about = report({
      original: { envid: hostile, receivedFrom: hostile },
      recipients: [recipient({ orcpt: `rfc822;${hostile}`, reply: hostile, words: hostile, remote: hostile })],
    })
    const mail = readMime(writeReport(about).bytes)
    expect(mail.parts).toHaveLength(3)
    const names = statusOf(about)
      .split("\r\n")
      .map((line) => line.split(":")[0])
    expect(names).not.toContain("Bcc")
    expect(mail.header("bcc")).toBeUndefined()
  })

  test("whatever is quoted, the notice stays 7-bit mail with short lines and three parts", () => {
    const text = fc.string({ unit: "binary", maxLength: 1200 })
    fc.assert(
      fc.property(text, text, text, fc.uint8Array({ maxLength: 2000 }), (envid, reply, words, bytes) => {
        const original = { envid, returned: { kind: "message", bytes } } as const
        const about = report({ original, recipients: [recipient({ reply, words })] })
        const written = Buffer.from(writeReport(about).bytes)
        expect(written.every((byte) => byte > 0 && byte < 128)).toBe(true)
        expect(
          written
            .toString()
            .split("\r\n")
            .every((line) => line.length <= 998),
        ).toBe(true)
        expect(readMime(written).parts).toHaveLength(3)
      }),
    )
  })
})

type Different = { readonly original?: Partial<Original>; readonly recipients?: readonly ReportedRecipient[] }

function report({ original = {}, recipients = [recipient()] }: Different = {}): Report {
  const usual: Original = {
    from: "carol@sender.example",
    envid: undefined,
    arrivedAt: AT - 3_600_000,
    receivedFrom: "mx.sender.example",
    smtputf8: false,
    returned: { kind: "headers", bytes: Buffer.from(HEADER) },
  }
  return { id: "abc234", reporter: BOB, at: AT, original: { ...usual, ...original }, recipients }
}

function recipient(different: Partial<ReportedRecipient> = {}): ReportedRecipient {
  return {
    address: "dave@dave.example",
    orcpt: "rfc822;dave+list@dave.example",
    action: "failed",
    status: "5.1.1",
    words: "The next host refuses the message",
    remote: "mx.dave.example",
    reply: "550 5.1.1 No such user",
    lastAttemptAt: AT,
    retryUntil: undefined,
    ...different,
  }
}

function statusOf(about: Report): string {
  return readMime(writeReport(about).bytes).parts[1]?.text() ?? ""
}

function returnedIn(about: Report): MimePart {
  const part = readMime(writeReport(about).bytes).parts[2]
  if (!part) throw new Error("no third part")
  return part
}
