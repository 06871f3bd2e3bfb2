/** The way in for mail, judged by the programs that mail people judge it with. */
import { setTimeout as delay } from "node:timers/promises"
import { describe, expect, test } from "@jest/globals"
import type { KeptMessage, Spool } from "../../src/store/spool.ts"
import { runClient } from "../support/client.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair } from "../support/key-pair.ts"
import { startPostfix } from "../support/postfix.ts"
import { onlyMessage, startMailHost } from "../support/smtp-dialogue.ts"

withJudges(["swaks"], () => {
  /** The battery of every open-relay test; only the first may pass. */
  test.each([
    ["b@dave.example", 0],
    ["v@other.test", 24],
    ['"b@dave.example"@other.test', 24],
    ["b%other.test@dave.example", 24],
    ["other.test!b@dave.example", 24],
    ["@dave.example:v@other.test", 24],
    ["v@other.test@dave.example", 24],
    ["b@[127.0.0.1]", 24],
    ["b@dave.example.evil", 24],
    ["b@relay.bob.example", 24],
  ])("swaks writes to %s and exits with %d", async (to, status) => {
    await using bob = await startMailHost()
    const server = ["--server", "127.0.0.1", "--port", String(bob.port)]
    const run = await runClient("swaks", [...server, "--from", "a@x.test", "--to", to, "--quit-after", "RCPT"])
    expect({ status: run.exitCode, said: run.said }).toMatchObject({ status })
  })

  test("swaks sends over STARTTLS, pipelined and not", async () => {
    await using bob = await startMailHost({ tls: await keyPair("relay.bob.example") })
    for (const pipeline of [[], ["--pipeline"]]) {
      const server = ["--server", "127.0.0.1", "--port", String(bob.port), "--tls", ...pipeline]
      const run = await runClient("swaks", [...server, "--from", "a@x.test", "--to", "b@dave.example"])
      expect(run).toMatchObject({ exitCode: 0, said: expect.stringContaining("250 2.0.0 Kept as") })
    }
    const messages = await bob.spool.list()
    expect(messages.map(({ client }) => client.tls)).toEqual(Array(2).fill("TLSv1.3 TLS_AES_256_GCM_SHA384"))
  })
})

withJudges(["smtp-source"], () => {
  test.each([
    ["a connection for each", []],
    ["reused connections", ["-d"]],
    ["reused connections and many recipients", ["-d", "-r", "50"]],
  ])("smtp-source sends 500 messages from 20 at once, with %s, and all are kept", async (_name, flags) => {
    await using bob = await startMailHost()
    const load = ["-s", "20", "-l", "10240", "-m", "500", "-f", "a@x.test", "-t", "b@dave.example", ...flags]
    const run = await runClient("smtp-source", [...load, `127.0.0.1:${bob.port}`])
    expect(run).toMatchObject({ exitCode: 0 })
    const messages = await bob.spool.list()
    expect(messages).toHaveLength(500)
    expect(new Set(messages.map(({ sizeBytes }) => Math.floor(sizeBytes / 1000)))).toEqual(new Set([10]))
  })
})

withJudges(["postfix"], () => {
  describe("Postfix as the sender", () => {
    test("uses STARTTLS and SMTPUTF8, and what it sends is kept as it was", async () => {
      await using bob = await startMailHost({ tls: await keyPair("relay.bob.example") })
      const postfix = await startPostfix({
        transport: [`dave.example smtp:[127.0.0.1]:${bob.port}`],
        more: ["smtp_tls_security_level = encrypt", "smtputf8_enable = yes", "smtputf8_autodetect_classes = all"],
      })
      const text = ".a line with a dot\n..and two\nGrüße\n"
      postfix.submit({ from: "carol@sender.example", to: "jõgeva@dave.example", subject: "hello", text })
      const kept = await untilKept(bob.spool)
      const sent = `status=sent (250 2.0.0 Kept as ${kept?.id})`
      while (!(await postfix.log()).includes(sent)) await delay(50)
      await postfix.stop()
      expect(kept).toMatchObject({ recipients: [{ address: "jõgeva@dave.example" }], smtputf8: true })
      expect(kept?.client.tls).toMatch(/^TLSv1\.3 /)
      expect(await onlyMessage(bob.spool)).toContain(Buffer.from(text.replaceAll("\n", "\r\n")).toString("latin1"))
    })
  })
})

/** The first message that is kept; test timeouts bound the wait. */
async function untilKept(spool: Spool): Promise<KeptMessage | undefined> {
  for (;;) {
    const [first] = await spool.list()
    if (first) return first
    await delay(50)
  }
}
