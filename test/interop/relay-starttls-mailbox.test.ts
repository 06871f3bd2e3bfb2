/**
 * Mailboxes, mail filters and chat of two friends behind one port each of `waypost relay`: real programs log in at the
 * friend's own Dovecot and Prosody, with the friend's own key, and Dovecot knows who came.
 */
import { once } from "node:events"
import { connect } from "node:net"
import { join } from "node:path"
import { writeFile } from "node:fs/promises"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { startDovecot, type Dovecot } from "../support/dovecot.ts"
import { eventually } from "../support/eventually.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair, type KeyPair } from "../support/key-pair.ts"
import { scratchFolder } from "../support/program.ts"
import { startProsody } from "../support/prosody.ts"
import { startRelayProgram, type RelayProgram } from "../support/relay-program.ts"

const VISITOR = "127.0.0.9"

withJudges(["dovecot", "prosody", "openssl", "curl"], () => {
  describe("Alice's and Dave's servers on shared ports", () => {
    const closing = new AsyncDisposableStack()
    let keys: Readonly<Record<"alice" | "dave", KeyPair>>
    let mailboxes: Readonly<Record<"alice" | "dave", Dovecot>>
    let relay: RelayProgram
    let folder: string

    beforeAll(async () => {
      keys = { alice: await keyPair("mx.alice.example"), dave: await keyPair("mx.dave.example") }
      mailboxes = {
        alice: closing.use(await startDovecot(keys.alice)),
        dave: closing.use(await startDovecot(keys.dave)),
      }
      const chats = {
        alice: closing.use(await startProsody("alice.example", "carol", keys.alice)),
        dave: closing.use(await startProsody("dave.example", "carol", keys.dave)),
      }
      const friends = (["alice", "dave"] as const).map(
        (name) => `
  ${name}:
    promise: sealed
    domains: [mx.${name}.example, ${name}.example]
    routes:
      imap: { mode: dedicated, to: "127.0.0.1:${mailboxes[name].imapPort}", proxy: v2 }
      sieve: { mode: dedicated, to: "127.0.0.1:${mailboxes[name].sievePort}", proxy: v2 }
      xmpp: { mode: dedicated, to: "127.0.0.1:${chats[name].port}" }`,
      )
      relay = closing.use(
        await startRelayProgram(`
listeners:
  imap: { bind: "0.0.0.0:0", protocol: imap }
  sieve: { bind: "0.0.0.0:0", protocol: managesieve }
  xmpp: { bind: "0.0.0.0:0", protocol: xmpp }
friends:${friends.join("")}
`),
      )
      folder = closing.use(await scratchFolder()).path
    })
    afterAll(() => closing.disposeAsync())

    const port = (listener: string) => relay.port(listener, "0.0.0.0")

    test.each(["alice", "dave"] as const)(
      "curl reads the mailbox at %s, whose Dovecot knows who came",
      async (name) => {
        const ca = join(folder, `${name}.pem`)
        await writeFile(ca, keys[name].cert)
        const host = `mx.${name}.example`
        const reached = ["--connect-to", `${host}:143:127.0.0.1:${port("imap")}`, "--interface", VISITOR]
        const run = await runClient("curl", [
          "-sS",
          "--ssl-reqd",
          "--cacert",
          ca,
          ...reached,
          "--user",
          "carol:secret",
          `imap://${host}/`,
        ])
        expect(run).toEqual({ exitCode: 0, said: expect.stringContaining("INBOX") })
        await eventually("the login is logged", async () => (await mailboxes[name].log()).includes(`rip=${VISITOR},`))
      },
    )

    test.each([
      ["imap", "imap", []],
      ["sieve", "sieve", []],
      ["xmpp", "xmpp", ["-xmpphost", "dave.example"]],
    ])("openssl sees Dave's key through %s", async (listener, called, more) => {
      const target = ["-servername", "mx.dave.example", "-connect", `127.0.0.1:${port(listener)}`]
      const run = await runClient("openssl", ["s_client", "-showcerts", "-starttls", called, ...more, ...target])
      expect(run.said).toContain(keys.dave.cert.trim())
    })

    test("a chat program that names nobody in TLS reaches the domain that it opened its stream to", async () => {
      const socket = connect({ host: "127.0.0.1", port: port("xmpp"), localAddress: VISITOR })
      socket.write(opened("alice.example"))
      await saying(socket, "</stream:features>")
      socket.write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
      await saying(socket, "<proceed")
      const tls = connectTls({ socket, ca: keys.alice.cert, checkServerIdentity: () => undefined })
      await once(tls, "secureConnect")
      tls.write(opened("alice.example"))
      await saying(tls, "</stream:features>")
      const login = Buffer.from("\0carol\0secret").toString("base64")
      tls.write(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${login}</auth>`)
      await saying(tls, "<success")
      tls.destroy()
    })

    test("a mail program that names nobody is told so inside the relay's TLS", async () => {
      const socket = connect({ host: "127.0.0.1", port: port("imap") })
      await saying(socket, "* OK")
      socket.write("a STARTTLS\r\n")
      await saying(socket, "a OK")
      const tls = connectTls({ socket, rejectUnauthorized: false })
      await saying(tls, "* BYE Your TLS names no host")
      tls.destroy()
    })
  })
})

function opened(domain: string): string {
  return `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${domain}' version='1.0'>`
}

/** Waits until it has said so. */
async function saying(socket: TLSSocket | ReturnType<typeof connect>, words: string): Promise<void> {
  let said = ""
  while (!said.includes(words)) {
    const [bytes] = (await once(socket, "data")) as [Buffer]
    said += bytes.toString()
  }
}
