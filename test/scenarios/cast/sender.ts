/** A mail server at a friend's home that sends through the box's outgoing port: it asks there for a connection, and speaks SMTP on it. */
import { connect, type Socket } from "node:net"
import { once } from "node:events"
import SMTPConnection from "nodemailer/lib/smtp-connection"
import type { AttachedBox } from "../../support/attached-box.ts"
import type { Directory } from "./directory.ts"
import type { Person } from "./ladder.ts"
import { demands, tlsOf, type Insists } from "./carol.ts"
import type { Story } from "./story.ts"

export type SenderParts = {
  readonly person: Person
  readonly box: AttachedBox
  readonly directory: Directory
  readonly story: Story
}

export class Sender {
  readonly #parts: SenderParts

  constructor(parts: SenderParts) {
    this.#parts = parts
  }

  /** Sends one mail to a server of that name, which must be Carol's. */
  async mails(server: string, what: string, insists: Insists): Promise<void> {
    const { person, story } = this.#parts
    const sealedFor = await this.#send(server, what, insists)
    story.says(person, "Carol", `mail for carol@carol.example: "${what}"`, sealedFor)
    story.says("Carol", person, "250", sealedFor)
  }

  /** As `mails`, where the server must not send: what it insists on is not there. */
  async doesNotMail(server: string, what: string, insists: Insists): Promise<void> {
    const { person, story } = this.#parts
    const sent = await this.#send(server, what, insists).then(
      () => true,
      () => false,
    )
    if (sent) throw new Error(`${person}'s server sent what it should not have sent`)
    story.found(person, `insists ${insists}, does not get it, and sends nothing`)
  }

  /** Asks for a place; resolves to the answer: "403 OUTGOING_PORT". */
  async asksFor(place: string): Promise<string> {
    const { person, story } = this.#parts
    const { socket, answer } = await this.#asks(place)
    socket.destroy()
    story.says(person, "Bob", `a connection to ${place}`)
    story.says("Bob", person, answer)
    return answer
  }

  async #asks(place: string): Promise<{ readonly socket: Socket; readonly answer: string }> {
    const { address: host, port = 0 } = this.#parts.box.outgoing ?? {}
    const socket = connect({ host: host ?? "", port })
    socket.write(`CONNECT ${place} HTTP/1.1\r\n\r\n`)
    const [head] = (await once(socket, "data")) as [Buffer]
    socket.pause() // what comes now is the far server's
    const [, answer = ""] = /^HTTP\/1\.1 (.*)\r\n/.exec(head.toString("latin1")) ?? []
    const restAt = head.indexOf("\r\n\r\n") + 4
    if (restAt < head.length) socket.unshift(head.subarray(restAt))
    return { socket, answer }
  }

  /** Resolves to whose key was shown, if there was TLS. */
  async #send(server: string, what: string, insists: Insists): Promise<Person | undefined> {
    const { person, directory } = this.#parts
    const { socket, answer } = await this.#asks(`${server}:25`)
    if (!answer.startsWith("200")) throw new Error(answer)
    const domain = `${person.toLowerCase()}.example`
    const connection = new SMTPConnection({
      connection: socket,
      name: domain,
      servername: server,
      ...demands(insists, directory.trusted),
    })
    try {
      await new Promise<void>((resolve, reject) => {
        connection.once("error", reject)
        connection.connect((error) => (error ? reject(error) : resolve()))
      })
      const envelope = { from: `${person.toLowerCase()}@${domain}`, to: ["carol@carol.example"] }
      await new Promise<void>((resolve, reject) =>
        connection.send(envelope, `Subject: An answer\r\n\r\n${what}\r\n`, (error) =>
          error ? reject(error) : resolve(),
        ),
      )
      return connection.secure ? keyOf(connection, directory) : undefined
    } finally {
      connection.close()
    }
  }
}

function keyOf(connection: SMTPConnection, directory: Directory): Person | undefined {
  const shown = tlsOf(connection).getPeerX509Certificate()
  return shown && directory.keyOwner(shown.fingerprint256)
}
