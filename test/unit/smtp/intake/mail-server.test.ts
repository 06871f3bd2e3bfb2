import { describe, expect, test } from "@jest/globals"
import { contentOf } from "../../../support/spool.ts"
import { onlyMessage, SmtpClient, startMailHost } from "../../../support/smtp-dialogue.ts"

const MAIL = "MAIL FROM:<carol@sender.example>"
const RCPT = "RCPT TO:<dave@dave.example>"

describe("a message for a friend", () => {
  test("is kept with our Received line on top, and answered with its id", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL)).toBe("250 2.1.0 Sender taken")
    expect(await carol.says(RCPT)).toBe("250 2.1.5 Recipient taken")
    expect(await carol.says("DATA")).toBe("354 End data with <CR><LF>.<CR><LF>")
    const kept = await carol.says("Subject: hi\r\n\r\n..dot\r\n.")
    const [message] = await bob.spool.list()
    expect(kept).toBe(`250 2.0.0 Kept as ${message?.id}`)
    expect(await onlyMessage(bob.spool)).toBe("Subject: hi\r\n\r\n.dot\r\n")
    if (!message) throw new Error("nothing kept")
    expect(String(await contentOf(bob.spool, message.id))).toMatch(
      new RegExp(
        String.raw`^Received: from mx\.sender\.example \(\[127\.0\.0\.1\]\)\r\n\tby relay\.bob\.example with ESMTP` +
          String.raw` id ${message.id}\r\n\tfor <dave@dave\.example>;\r\n\t\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r\nSubject`,
      ),
    )
    expect(await carol.says("QUIT")).toBe("221 2.0.0 Bye")
    expect(await carol.reply()).toBe("closed")
  })
})
