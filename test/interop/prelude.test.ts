/** Many friends' servers on one port, end to end: real senders and readers come through our preludes to the right one. */
import { setTimeout as delay } from "node:timers/promises"
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { startFriendsServer } from "../support/friends-server.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair } from "../support/key-pair.ts"
import { startPostfix, type Postfix } from "../support/postfix.ts"
import { freePort } from "../support/program.ts"
import { openStartTlsRelay, type StartTlsRelay } from "../support/starttls-relay.ts"

withJudges(["postfix", "swaks", "posttls-finger", "openssl"], () => {
  describe("two friends' Postfix servers behind one port", () => {
    let [alice, dave]: (Postfix | undefined)[] = []
    let relay: StartTlsRelay | undefined

    beforeAll(async () => {
      const [alicePort, davePort] = [await freePort(), await freePort()]
      alice = await friendsPostfix("alice", alicePort)
      dave = await friendsPostfix("dave", davePort)
      const homes = new Map([
        ["mx.alice.example", alicePort],
        ["mx.dave.example", davePort],
      ])
      relay = await openStartTlsRelay({ protocol: "smtp", homes, xclient: true })
    })

    afterAll(async () => {
      await relay?.[Symbol.asyncDispose]()
      await alice?.stop()
      await dave?.stop()
    })

    test.each(["mx.alice.example", "mx.dave.example"])("openssl sees the certificate of %s", async (name) => {
      const args = ["s_client", "-starttls", "smtp", "-servername", name, "-connect", `127.0.0.1:${relay?.port}`]
      expect((await runClient("openssl", args)).said).toContain(`subject=CN = ${name}`)
    })

    test("posttls-finger comes to TLS", async () => {
      const args = ["-c", "-l", "encrypt", "-s", "mx.dave.example", `[127.0.0.1]:${relay?.port}`]
      expect((await runClient("posttls-finger", args)).said).toContain("TLSv1.3 with cipher")
    })

    test("swaks writes to each, and each sees where the mail came from", async () => {
      for (const friend of ["alice", "dave"])
        expect((await write(relay, friend)).said).toContain("250 2.0.0 Ok: queued")
      for (const server of [alice, dave]) {
        const mail = await kept(server, "from mail.carol.example")
        expect(mail).toContain("Received: from mail.carol.example (unknown [127.0.0.9])")
      }
    })

    test("a sender without TLS is told to use it", async () => {
      const server = ["--server", "127.0.0.1", "--port", String(relay?.port)]
      const run = await runClient("swaks", [...server, "--from", "c@carol.example", "--to", "x@alice.example"])
      expect(run.said).toContain("530 5.7.0 Must issue a STARTTLS command first")
    })

    test("Postfix writes to a friend whose name it is told to ask for", async () => {
      const to = `[127.0.0.1]:${relay?.port}`
      const carol = await startPostfix({
        transport: [`alice.example smtp:${to}`],
        more: ["smtp_tls_security_level = encrypt", "smtp_tls_servername = mx.alice.example", "smtp_tls_loglevel = 1"],
      })
      carol.submit({ from: "carol@carol.example", to: "alice@alice.example", subject: "noon", text: "Meet me at noon" })
      expect(await kept(alice, "Meet me at noon")).toContain("Subject: noon")
      await carol.stop()
    })
  })
})

withJudges(["openssl"], () => {
  test.each([
    ["imap", "imap", []],
    ["managesieve", "sieve", []],
    ["xmpp", "xmpp", ["-xmpphost", "mx.alice.example"]],
  ] as const)("openssl comes to a friend's server through %s", async (protocol, called, more) => {
    await using home = await startFriendsServer(protocol, "mx.alice.example", await keyPair("mx.alice.example"))
    await using relay = await openStartTlsRelay({ protocol, homes: new Map([["mx.alice.example", home.port]]) })
    const target = ["-servername", "mx.alice.example", "-connect", `127.0.0.1:${relay.port}`]
    const run = await runClient("openssl", ["s_client", "-starttls", called, ...more, ...target])
    expect(run.said).toContain("subject=CN = mx.alice.example")
  })
})

async function friendsPostfix(friend: string, port: number): Promise<Postfix> {
  return await startPostfix({
    listen: { address: "127.0.0.1", port },
    domains: [`${friend}.example`],
    tls: await keyPair(`mx.${friend}.example`),
    more: ["smtpd_authorized_xclient_hosts = 127.0.0.0/8", "smtpd_tls_received_header = no"],
  })
}

async function write(relay: StartTlsRelay | undefined, friend: string) {
  const server = ["--server", "127.0.0.1", "--port", String(relay?.port), "--local-interface", "127.0.0.9"]
  const tls = ["--tls", "--tls-sni", `mx.${friend}.example`, "--ehlo", "mail.carol.example"]
  return await runClient("swaks", [
    ...server,
    ...tls,
    "--from",
    "carol@carol.example",
    "--to",
    `${friend}@${friend}.example`,
  ])
}

/** The first message that a friend's server has kept with `text` in it, once it is there. */
async function kept(server: Postfix | undefined, text: string): Promise<string> {
  for (;;) {
    const mail = (await server?.mailbox())?.find((each) => each.includes(text))
    if (mail !== undefined) return mail
    await delay(50)
  }
}
