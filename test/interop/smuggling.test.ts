/**
 * Smuggling end to end (CVE-2023-51764 and its kin): every ending that some server or other takes for the end of content
 * goes into a relay of its own process, with a transaction behind it; what leaves is read from the raw dumps of smtp-sink.
 */
import { chmod, mkdir, readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "@jest/globals"
import { eventually } from "../support/eventually.ts"
import { withJudges } from "../support/judge.ts"
import { freePort, scratchFolder, startProgram } from "../support/program.ts"
import { startRelayProgram } from "../support/relay-program.ts"
import { SmtpClient } from "../support/smtp-dialogue.ts"

const MAIL = "MAIL FROM:<carol@sender.example>"
const RCPT = "RCPT TO:<dave@dave.example>"
const SMUGGLED = `MAIL FROM:<smuggled@x.test>\r\n${RCPT}\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n`

/** hannob/smtpsmug's list, and what The-Login's scanner adds. */
const BAD_ENDINGS = [
  ["LF.LF", "\n.\n"],
  ["CR.CR", "\r.\r"],
  ["CR.LF", "\r.\n"],
  ["LF.CR", "\n.\r"],
  ["LF.CRLF", "\n.\r\n"],
  ["CR.CRLF", "\r.\r\n"],
  ["CRLF.LF", "\r\n.\n"],
  ["CRLF.CR", "\r\n.\r"],
  ["CRCRLF.CRCRLF", "\r\r\n.\r\r\n"],
  ["CRLF NUL.CRLF", "\r\n\0.\r\n"],
  ["CRLF.NUL CRLF", "\r\n.\0\r\n"],
  ["LF..CRLF", "\n..\r\n"],
] as const

withJudges(["smtp-sink"], () => {
  describe.each(["true", "false"])("with cut-through: %s", (cutThrough) => {
    test("every bad ending is refused, and nothing of it is passed on", async () => {
      await using folder = await scratchFolder()
      const dumps = join(folder.path, "dumps")
      await mkdir(dumps)
      for (const path of [folder.path, dumps]) await chmod(path, 0o777) // the sink is nobody
      const sinkPort = await freePort()
      const how = ["-u", "nobody", "-R", dumps, "-d", "mail."]
      await using _ = await startProgram("smtp-sink", [...how, `127.0.0.1:${sinkPort}`, "100"], sinkPort)
      await using relay = await startRelayProgram(leadingTo(sinkPort, cutThrough))
      for (const [name, ending] of BAD_ENDINGS) {
        using stranger = await SmtpClient.greeted(relay.port("smtp"))
        await stranger.says(MAIL, RCPT, "DATA")
        stranger.sends(`Subject: innocent\r\n\r\ninnocent${ending}${SMUGGLED}`)
        expect({ name, reply: await stranger.reply() }).toEqual({ name, reply: expect.stringMatching(/^550 5\.6\./) })
        expect({ name, reply: await stranger.says("QUIT") }).toEqual({ name, reply: expect.stringMatching(/^221 /) })
      }
      using carol = await SmtpClient.greeted(relay.port("smtp"))
      expect(await carol.says(MAIL, RCPT, "DATA", "Subject: honest\r\n\r\n..\r\n..MAIL\r\nx\r\n.")).toMatch(/^250 /)
      const read = async (): Promise<readonly string[]> =>
        Promise.all((await readdir(dumps)).map((file) => readFile(join(dumps, file), "latin1")))
      await eventually("the honest one arrives", async () => (await read()).some((dump) => dump.includes("MAIL")))
      const passed = await read()
      expect(passed).toEqual([expect.stringMatching(/Subject: honest\r?\n\r?\n\.?\.\r?\n\.?\.MAIL\r?\nx/)])
      expect(passed.join()).not.toMatch(/smuggled|innocent/)
    })
  })
})

test("commands behind STARTTLS in one segment end the session, and speak for nobody inside TLS (CVE-2011-0411)", async () => {
  await using relay = await startRelayProgram(leadingTo(await freePort(), "true"))
  using stranger = await SmtpClient.greeted(relay.port("smtp"))
  stranger.sends(`STARTTLS\r\nRSET\r\n${MAIL}\r\n${RCPT}\r\nDATA\r\n`)
  expect(await stranger.repliesUntilClosed()).toEqual(["554 5.5.0 Commands were sent before it was their turn"])
})

function leadingTo(port: number, cutThrough: string): string {
  return `
listeners:
  smtp: { bind: "127.0.0.1:0", protocol: smtp }
friends:
  dave:
    domains: [dave.example]
    routes:
      smtp: { mode: peer, to: "127.0.0.1:${port}", cut-through: ${cutThrough} }
`
}
