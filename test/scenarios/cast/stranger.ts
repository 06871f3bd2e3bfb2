/** Somebody who tries what he should not: other people's names, other people's mail. */
import { connect } from "node:net"
import { connect as connectTls } from "node:tls"
import { SmtpClient } from "../../support/smtp-dialogue.ts"
import type { Directory } from "./directory.ts"
import type { Story } from "./story.ts"

/** "550 5.7.1": what comes behind is for people, and may change. */
const REPLY_CODE_CHARS = 9

export class Stranger {
  readonly #directory: Directory
  readonly #story: Story

  constructor(directory: Directory, story: Story) {
    this.#directory = directory
    this.#story = story
  }

  /** Asks whoever serves HTTPS for `near` for another name, or for none; resolves to the alert that he gets. */
  async asksForHttps(near: string, name: string | undefined): Promise<string> {
    const { address: host, port } = this.#directory.where("https", near)
    const socket = connectTls({ host, port, servername: name ?? "", rejectUnauthorized: false })
    const answer = await new Promise<string>((resolve) => {
      socket.once("secureConnect", () => resolve("a page"))
      socket.once("error", (error) => resolve(alertOf(error)))
    })
    socket.destroy()
    this.#story.says("Stranger", "Bob", name ? `TLS for ${name}` : "TLS for nobody in particular")
    this.#story.says("Bob", "Stranger", answer)
    return answer
  }

  /** Says it to the port of a name's own; resolves to the answer, which is empty where he is hung up on. */
  async speaksTo(name: string, what: string): Promise<string> {
    const { address: host, port } = this.#directory.where("tcp", name)
    const socket = connect({ host, port }).on("error", () => {}) // the end of it says enough
    socket.end(what)
    let answer = ""
    socket.setEncoding("utf8").on("data", (piece: string) => (answer += piece))
    await new Promise((resolve) => socket.once("close", resolve))
    this.#story.says("Stranger", "Bob", `"${what}"`)
    this.#story.says("Bob", "Stranger", answer.trim() || "hangs up")
    return answer.trim()
  }

  /** Offers the relay a mail for the recipient, as `RCPT TO` says it; resolves to the reply. */
  async offersMail(near: string, recipient: string): Promise<string> {
    const { address, port } = this.#directory.where("smtp", near)
    using client = await SmtpClient.connect(port, address)
    await client.says("EHLO spam.stranger.example", "MAIL FROM:<win@stranger.example>")
    const reply = await client.says(`RCPT TO:${recipient}`)
    this.#story.says("Stranger", "Bob", `RCPT TO:${recipient}`)
    this.#story.says("Bob", "Stranger", reply.slice(0, REPLY_CODE_CHARS))
    return reply
  }

  /** Says one command behind EHLO; resolves to the reply. */
  async says(near: string, command: string): Promise<string> {
    const { address, port } = this.#directory.where("smtp", near)
    using client = await SmtpClient.connect(port, address)
    await client.says("EHLO spam.stranger.example")
    const reply = await client.says(command)
    this.#story.says("Stranger", "Bob", command)
    this.#story.says("Bob", "Stranger", reply.slice(0, REPLY_CODE_CHARS))
    return reply
  }

  /**
   * Mails somebody in somebody else's name, with `forged` on top; resolves to the first reply that is a refusal, or the last.
   */
  async mailsAs(from: string, to: string, what: string, forged?: string): Promise<string> {
    const { address, port } = this.#directory.where("smtp", to.slice(to.indexOf("@") + 1))
    using client = await SmtpClient.connect(port, address)
    await client.says("EHLO spam.stranger.example")
    let reply = ""
    const header = [...(forged ? [forged] : []), `From: ${from}`, "Subject: Win"].join("\r\n")
    for (const line of [`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`, "DATA", `${header}\r\n\r\n${what}\r\n.`]) {
      reply = await client.says(line)
      if (/^[45]/.test(reply)) break
    }
    const lie = forged ? `, with ${forged} on top` : ""
    this.#story.says("Stranger", "Bob", `mail in the name of ${from} for ${to}: "${what}"${lie}`)
    this.#story.says("Bob", "Stranger", reply.startsWith("2") ? reply.slice(0, "250".length) : reply)
    return reply
  }
}

/** OpenSSL names alerts in its own way: ERR_SSL_TLSV1_UNRECOGNIZED_NAME. */
function alertOf({ code = "" }: NodeJS.ErrnoException): string {
  return code.startsWith("ERR_SSL_")
    ? `alert: ${code.replace(/^ERR_SSL_(TLSV1_|SSLV3_)?(ALERT_)?/, "").toLowerCase()}`
    : code
}
