/**
 * Peer mail through `waypost relay`: it accepts for Dave, and only for him, keeps what he cannot take, and hands it to
 * his Postfix once. Postfix, swaks and smtp-source send.
 */
import { describe, expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { eventually } from "../support/eventually.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair } from "../support/key-pair.ts"
import { startPostfix, type Postfix, type PostfixOptions } from "../support/postfix.ts"
import { freePort, scratchFolder } from "../support/program.ts"
import { startRelayProgram, type RelayProgram } from "../support/relay-program.ts"

const DAY_MS = 24 * 60 * 60_000

withJudges(["postfix", "swaks", "smtp-source"], () => {
  test("Carol's Postfix writes over STARTTLS, and Dave's has it once, over STARTTLS, with the relay's line", async () => {
    const home = await freePort()
    await using dave = await postfix({ ...davesAt(home), tls: await keyPair("mx.dave.example") })
    await using relay = await startRelayProgram(leadingTo(home, "tls: encrypt"))
    await using carol = await postfix({
      transport: [`dave.example smtp:[127.0.0.1]:${relay.port("smtp")}`],
      more: ["smtp_tls_security_level = encrypt", "smtp_tls_loglevel = 1", "smtp_bind_address = 127.0.0.9"],
    })
    carol.submit({ from: "carol@carol.example", to: "dave@dave.example", subject: "noon", text: "Meet me at noon" })
    await eventually("Dave has it", async () => (await dave.mailbox()).length > 0)
    expect(await carol.log()).toMatch(
      /Untrusted TLS connection established to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: TLSv1\.3/,
    )
    const [mail] = await dave.mailbox()
    expect(mail).toContain("Meet me at noon")
    const received = mail?.replaceAll(/\n[ \t]+/g, " ").match(/^Received: .*$/gm)
    expect(received).toEqual([
      expect.stringMatching(/^Received: from relay\.bob\.example .* by postfix\.test \(Postfix\) with ESMTPS/),
      expect.stringMatching(/^Received: from postfix\.test .*\[127\.0\.0\.9\].* by relay\.bob\.example .*with ESMTPS/),
      expect.stringMatching(/^Received: by postfix\.test \(Postfix, from userid 0\)/),
    ])
    expect(await relay.logged("mail-delivered")).toMatchObject({
      recipient: "dave@dave.example",
      tls: expect.any(String),
    })
  })

  test("200 messages of 10 senders at once arrive once each", async () => {
    const home = await freePort()
    await using dave = await postfix(davesAt(home))
    await using relay = await startRelayProgram(leadingTo(home, "tls: opportunistic"))
    const load = ["-s", "10", "-l", "4096", "-m", "200", "-N", "-f", "carol@carol.example", "-t", "dave@dave.example"]
    const run = await runClient("smtp-source", [...load, `127.0.0.1:${relay.port("smtp")}`])
    expect(run).toMatchObject({ exitCode: 0 })
    await eventually("all are handed over", () => relay.log.filter(({ msg }) => msg === "mail-delivered").length >= 200)
    await eventually("all are there", async () => (await dave.mailbox()).length >= 200)
    await relay.stop()
    const recipients = (await dave.mailbox()).map((mail) => /^X-Original-To: (\d+)dave@/m.exec(mail)?.[1])
    expect(new Set(recipients)).toHaveProperty("size", 200)
    expect(recipients).toHaveLength(200)
  })

  test("what Dave cannot take is kept, and he has it a day later, once, from the relay that was started again", async () => {
    await using folder = await scratchFolder()
    const home = await freePort()
    const file = leadingTo(home)
    {
      await using relay = await startRelayProgram(file, { folder: folder.path })
      expect(await swaks(relay, "dave@dave.example", "--body", "Are you there?")).toMatchObject({ exitCode: 0 })
      await relay.logged("mail-later", { recipient: "dave@dave.example", code: "HOME_AWAY" })
    }
    await using dave = await postfix(davesAt(home))
    await using relay = await startRelayProgram(file, { folder: folder.path, clockAheadMs: DAY_MS })
    await relay.logged("mail-delivered", { recipient: "dave@dave.example" })
    await eventually("Dave has it", async () => (await dave.mailbox()).length > 0)
    await relay.stop()
    expect(await dave.mailbox()).toEqual([expect.stringContaining("Are you there?")])
  })

  describe("the open-relay battery", () => {
    test("only what is Dave's is taken", async () => {
      await using relay = await startRelayProgram(leadingTo(await freePort(), "recipients: [dave]"))
      const codes: Record<string, string | undefined> = {}
      for (const to of Object.keys(BATTERY)) {
        const { said } = await swaks(relay, to, "--quit-after", "RCPT")
        codes[to] = /RCPT TO:.*\n<[-~*]+ +(\d{3} \d\.\d\.\d)/.exec(said)?.[1]
      }
      expect(codes).toEqual(BATTERY)
    })
  })
})

/** Every form that has ever opened a relay; the answer to RCPT. */
const BATTERY = {
  "dave@dave.example": "250 2.1.5",
  "DAVE@Dave.Example": "250 2.1.5",
  "postmaster@dave.example": "250 2.1.5",
  "erin@dave.example": "550 5.1.1",
  "victim@other.test": "550 5.7.1",
  '"dave@dave.example"@other.test': "550 5.7.1",
  "dave%other.test@dave.example": "550 5.7.1",
  "other.test!dave@dave.example": "550 5.7.1",
  "@dave.example:victim@other.test": "550 5.7.1",
  "victim@other.test@dave.example": "550 5.7.1",
  '"victim@other.test"@dave.example': "550 5.7.1",
  "dave@[127.0.0.1]": "550 5.7.1",
  "dave@dave.example.evil.test": "550 5.7.1",
  "dave@sub.dave.example": "550 5.7.1",
  "dave@relay.bob.example": "550 5.7.1",
  victim: "553 5.1.3",
}

function davesAt(port: number): PostfixOptions {
  return { listen: { address: "127.0.0.1", port }, domains: ["dave.example"] }
}

async function postfix(options: PostfixOptions): Promise<Postfix & AsyncDisposable> {
  const started = await startPostfix(options)
  return { ...started, [Symbol.asyncDispose]: () => started.stop() }
}

function leadingTo(port: number, more = "recipients: [dave]"): string {
  return `
listeners:
  smtp: { bind: "127.0.0.1:0", protocol: smtp }
friends:
  dave:
    domains: [dave.example]
    routes:
      smtp: { mode: peer, to: "127.0.0.1:${port}", ${more} }
`
}

async function swaks(relay: RelayProgram, to: string, ...more: readonly string[]) {
  const server = ["--server", "127.0.0.1", "--port", String(relay.port("smtp"))]
  return runClient("swaks", [...server, "--from", "carol@carol.example", "--to", to, ...more])
}
