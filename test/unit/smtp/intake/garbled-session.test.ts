/** Strangers who send anything at all: nobody else notices, and nothing is kept that was not mail. */
import fc from "fast-check"
import { expect, test } from "@jest/globals"
import { SmtpClient, startMailHost } from "../../../support/smtp-dialogue.ts"

const SESSIONS = 300

const word = fc.constantFrom(
  "EHLO a\r\n",
  "MAIL FROM:<a@b.example>\r\n",
  "MAIL FROM:<>\r\n",
  "RCPT TO:<dave@dave.example>\r\n",
  "RCPT TO:<alice@alice.example>\r\n",
  "DATA\r\n",
  "BDAT 7\r\n",
  "BDAT 0 LAST\r\n",
  "BDAT 99999999999999\r\n",
  "RSET\r\n",
  "STARTTLS\r\n",
  "Subject: x\r\n",
  "\r\n.\r\n",
  "\n.\n",
  "\0",
  "\u00ff\u00fe",
  "x".repeat(3000),
)
const garbage = fc.array(fc.oneof(word, fc.string({ unit: "binary", maxLength: 20 })), { maxLength: 12 })

test(`${SESSIONS} garbled sessions end or go on, and an honest one beside them is served`, async () => {
  await using bob = await startMailHost()
  const samples = fc.sample(garbage, { numRuns: SESSIONS, seed: 7 })
  const strangers = await Promise.all(samples.slice(0, 50).map((pieces) => talk(bob.port, pieces)))
  for (const pieces of samples.slice(50)) (await talk(bob.port, pieces)).hangsUp()
  using carol = await SmtpClient.greeted(bob.port)
  const reply = await carol.says("MAIL FROM:<c@c.example>", "RCPT TO:<dave@dave.example>", "DATA", "x\r\n.")
  expect(reply).toMatch(/^250 2\.0\.0 Kept as /)
  for (const stranger of strangers) stranger.hangsUp()
  while (bob.server.sessions > 1) await new Promise((resolve) => setTimeout(resolve, 5))
})

async function talk(port: number, pieces: readonly string[]): Promise<SmtpClient> {
  const stranger = await SmtpClient.connect(port)
  for (const piece of pieces) {
    stranger.sends(Buffer.from(piece, "latin1"))
    await new Promise((resolve) => setImmediate(resolve))
  }
  return stranger
}
