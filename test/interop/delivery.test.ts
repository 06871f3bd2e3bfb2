/** The way out for mail, judged by real servers: Postfix as a friend's, and Postfix's own sink at its most evil. */
import { execFileSync } from "node:child_process"
import { describe, expect, test } from "@jest/globals"
import { desk, MINUTE_MS, mxAt, routesOf, routeTo } from "../support/delivery.ts"
import { eventually } from "../support/eventually.ts"
import { judgePath, withJudges } from "../support/judge.ts"
import { keyPair } from "../support/key-pair.ts"
import { nextHop } from "../support/next-hop.ts"
import { startPostfix } from "../support/postfix.ts"
import { freePort, startProgram } from "../support/program.ts"

const MESSAGES = 30

withJudges(["smtp-sink"], () => {
  describe("smtp-sink as an evil next hop", () => {
    test.each([
      ["-r", "connect"],
      ["-r", "ehlo,helo"],
      ["-r", "mail"],
      ["-r", "rcpt"],
      ["-r", "data"],
      ["-r", "."],
      ["-f", "connect"],
      ["-q", "connect"],
      ["-q", "ehlo"],
      ["-q", "mail"],
      ["-q", "rcpt"],
      ["-q", "data"],
      ["-q", "."],
      ["-Q", "rcpt"],
      ["-Q", "."],
    ])("%s %s: everything stays, and arrives once it is over", async (flag, stage) => {
      const port = await freePort()
      await using at = await desk({ routeOf: routesOf(routeTo({ port })) })
      const ids = await (async () => {
        await using _ = await startProgram("smtp-sink", [flag, stage, "-u", "nobody", `127.0.0.1:${port}`, "100"], port)
        const mailed = await Promise.all(Array.from({ length: MESSAGES }, () => at.mail()))
        await Promise.all(mailed.map((id) => at.deferred(id)))
        return mailed
      })()
      expect(await Promise.all(ids.map((id) => at.attempt(id)))).toMatchObject(ids.map(() => ({ at: "waiting" })))
      await using well = await nextHop({}, port)
      await at.delivery.wake("dave")
      await Promise.all(ids.map((id) => at.gone(id)))
      expect(well.messages).toHaveLength(MESSAGES)
    })

    test.each([
      ["-f", "mail"],
      ["-f", "rcpt"],
      ["-f", "data"],
      ["-f", "."],
    ])("%s %s: every sender is told", async (flag, stage) => {
      const port = await freePort()
      await using _ = await startProgram("smtp-sink", [flag, stage, "-u", "nobody", `127.0.0.1:${port}`, "100"], port)
      await using sender = await nextHop()
      await using at = await desk({ routeOf: routesOf(routeTo({ port })), ...mxAt(sender) })
      const ids = await Promise.all(Array.from({ length: MESSAGES }, () => at.mail()))
      await Promise.all(ids.map((id) => at.gone(id)))
      await eventually("every notice arrives", () => sender.messages.length === MESSAGES)
    })

    test("-A: cut off in the middle of content, each sender is told or each message waits", async () => {
      const port = await freePort()
      await using _ = await startProgram("smtp-sink", ["-A", "0", "-u", "nobody", `127.0.0.1:${port}`, "100"], port)
      await using sender = await nextHop()
      await using at = await desk({ routeOf: routesOf(routeTo({ port })), ...mxAt(sender) })
      const text = `Subject: noon\r\n\r\n${"Meet me\r\n".repeat(20_000)}`
      const ids = await Promise.all(Array.from({ length: MESSAGES }, () => at.mail({}, text)))
      await Promise.all(ids.map((id) => at.deferred(id)))
      // Its 550 may be overtaken by its own reset: then it is a host that went away.
      const left = await Promise.all(ids.map((id) => at.attempt(id)))
      const told = left.filter((attempt) => attempt === undefined).length
      await eventually("every notice arrives", () => sender.messages.length === told)
      expect(at.log.all("mail-delivered").filter(({ friend }) => friend === "dave")).toEqual([])
    })

    test.each(["-p", "-e", "-E", "-8", "-w 1", "-T 100"])("%s: everything arrives", async (flags) => {
      const port = await freePort()
      await using _ = await startProgram(
        "smtp-sink",
        [...flags.split(" "), "-u", "nobody", `127.0.0.1:${port}`, "100"],
        port,
      )
      await using at = await desk({ routeOf: routesOf(routeTo({ port })) })
      const ids = await Promise.all(Array.from({ length: MESSAGES }, () => at.mail()))
      await Promise.all(ids.map((id) => at.gone(id)))
      expect(at.log.all("mail-later")).toEqual([])
    })
  })
})

withJudges(["postfix"], () => {
  describe("Postfix as the friend's server", () => {
    test("gets the content as it was, over TLS, with notices asked for each recipient", async () => {
      const port = await freePort()
      const postfix = await startPostfix({
        listen: { address: "127.0.0.1", port },
        domains: ["dave.example"],
        tls: await keyPair("mx.dave.example"),
        more: ["smtpd_tls_received_header = yes"],
      })
      try {
        await using at = await desk({ routeOf: routesOf(routeTo({ port }, "encrypt")) })
        const text = `From: carol@sender.example\r\nSubject: noon\r\n\r\n.a line with a dot\r\n..and two\r\n.\r\nGrüße\r\n${"x".repeat(900)}\r\n`
        const recipients = [
          { address: "dave@dave.example", notify: ["NEVER"], orcpt: "rfc822;dave+list@dave.example" },
          { address: "erin@dave.example", notify: undefined, orcpt: undefined },
        ] as const
        await at.gone(await at.mail({ recipients, ret: "HDRS", envid: "id=1 +" }, text))
        await eventually("both copies are in the mailbox", async () => (await postfix.mailbox()).length === 2)
        const [copy = ""] = await postfix.mailbox()
        expect(copy).toContain(text.slice(text.indexOf("\r\n\r\n")).replaceAll("\r\n", "\n"))
        expect(copy).toContain("using TLSv1.3 with cipher")
        expect((await postfix.mailbox()).join()).toContain("X-Original-To: dave@dave.example")
      } finally {
        await postfix.stop()
      }
    })

    test("refuses one recipient and takes another: each is right", async () => {
      const port = await freePort()
      await using sender = await nextHop()
      const refusal = "smtpd_recipient_restrictions = check_recipient_access inline:{gone@dave.example=REJECT}, permit"
      const postfix = await startPostfix({
        listen: { address: "127.0.0.1", port },
        domains: ["dave.example"],
        more: [refusal],
      })
      try {
        await using at = await desk({ routeOf: routesOf(routeTo({ port })), ...mxAt(sender) })
        const addresses = ["gone@dave.example", "dave@dave.example"]
        const recipients = addresses.map((address) => ({ address, notify: undefined, orcpt: undefined }))
        await at.gone(await at.mail({ recipients }))
        await eventually("the mail is in the mailbox", async () => (await postfix.mailbox()).length === 1)
        await eventually("the notice arrives", () => sender.messages.length === 1)
        expect(sender.messages[0]?.content.toString()).toContain("Final-Recipient: rfc822; gone@dave.example\r\n")
      } finally {
        await postfix.stop()
      }
    })

    test("is found to be shut down, and gets everything when it is back", async () => {
      const port = await freePort()
      await using at = await desk({ routeOf: routesOf(routeTo({ port })) })
      const ids = await Promise.all(Array.from({ length: 20 }, () => at.mail()))
      await Promise.all(ids.map((id) => at.deferred(id)))
      const postfix = await startPostfix({ listen: { address: "127.0.0.1", port }, domains: ["dave.example"] })
      try {
        await at.clock.turn(6 * MINUTE_MS)
        await Promise.all(ids.map((id) => at.gone(id)))
        await eventually("all are in the mailbox", async () => (await postfix.mailbox()).length === 20)
      } finally {
        await postfix.stop()
      }
    })
  })
})

withJudges(["postfix", "python3"], () => {
  test("Python reads our notice and Postfix's about the same refusal, and finds the same", async () => {
    await using dave = await nextHop({
      name: "mx.dave.example",
      on: (line) => (line.includes("gone@") ? "550 5.1.1 <gone@dave.example>: No such user here" : undefined),
    })
    await using sender = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(dave)), ...mxAt(sender) })
    const gone = { address: "gone@dave.example", notify: undefined, orcpt: "rfc822;gone@dave.example" }
    await at.mail({ recipients: [gone] }, "From: carol@sender.example\r\nSubject: noon\r\n\r\nMeet me\r\n")
    await eventually("our notice arrives", () => sender.messages.length === 1)
    const postfix = await startPostfix({
      transport: [`dave.example smtp:[127.0.0.1]:${dave.port}`, `sender.example smtp:[127.0.0.1]:${sender.port}`],
    })
    try {
      postfix.submit({ from: "carol@sender.example", to: "gone@dave.example", subject: "noon", text: "Meet me" })
      await eventually("Postfix's notice arrives", () => sender.messages.length === 2)
    } finally {
      await postfix.stop()
    }
    const [ours, theirs] = sender.messages.map(({ content }) => readByPython(content))
    expect(ours?.defects).toEqual([])
    expect(ours?.type).toBe("multipart/report")
    expect(ours?.parts).toEqual(["text/plain", "message/delivery-status", "text/rfc822-headers"])
    expect(ours?.returned).toContain("Subject: noon")
    const same = ["Final-Recipient", "Original-Recipient", "Action", "Status", "Diagnostic-Code"]
    const fields = (from: Read | undefined) =>
      same.map((name) => from?.recipient[name]?.toLowerCase().replace(/\s+/g, ""))
    expect(fields(ours)).toEqual(fields(theirs))
    const names = Object.keys(theirs?.recipient ?? {}).filter((name) => !name.startsWith("X-"))
    expect(Object.keys(ours?.recipient ?? {})).toEqual(expect.arrayContaining(names))
    expect(Object.keys(ours?.message ?? {})).toEqual(expect.arrayContaining(["Reporting-MTA", "Arrival-Date"]))
  })
})

type Read = {
  readonly type: string
  readonly defects: readonly string[]
  readonly parts: readonly string[]
  readonly message: Readonly<Record<string, string>>
  readonly recipient: Readonly<Record<string, string>>
  readonly returned: string
}

const READER = `
import email, email.policy, json, sys
mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
parts = list(mail.iter_parts())
groups = parts[1].get_payload()
defects = [str(d) for part in [mail, *parts, *groups] for d in part.defects]
returned = parts[2].get_content() if parts[2].get_content_maintype() == "text" else parts[2].get_payload()[0].as_string()
print(json.dumps({
  "type": mail.get_content_type(), "defects": defects, "parts": [p.get_content_type() for p in parts],
  "message": dict(groups[0].items()), "recipient": dict(groups[1].items()), "returned": returned,
}))
`

function readByPython(notice: Buffer): Read {
  const read: unknown = JSON.parse(
    execFileSync(judgePath("python3"), ["-c", READER], { input: notice, encoding: "utf8" }),
  )
  return read as Read // the script above prints nothing else
}
