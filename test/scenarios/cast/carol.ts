/** Everybody outside: sends mail as mail servers do, and visits as browsers do. Who answers her is told by the key that is shown. */
import { once } from "node:events"
import { request as plainRequest, type ClientRequest, type IncomingMessage } from "node:http"
import { request as secureRequest } from "node:https"
import { connect, type Socket } from "node:net"
import { text } from "node:stream/consumers"
import type { TLSSocket } from "node:tls"
import SMTPConnection from "nodemailer/lib/smtp-connection"
import type { Directory } from "./directory.ts"
import { Download } from "./download.ts"
import { logIn } from "./mailbox.ts"
import type { Person } from "./ladder.ts"
import type { Story } from "./story.ts"

const CAROL = "carol@carol.example"
/** Where she calls from, to IPv4 addresses; loopback has only one IPv6 address. */
export const CAROLS_ADDRESS = "127.0.3.1"

/** What a sender demands of TLS: most demand nothing; RFC 8461 and RFC 7672 demand the right key. */
export type Insists = "on nothing" | "on the right key" | "on no TLS"

/** How an exchange went. `sealedFor`: the owner of the key that was shown; `undefined`: there was no TLS. */
export type Outcome = { readonly reply: string; readonly sealedFor: Person | undefined; readonly from: Person }

type Mail = { readonly to: string; readonly from: string; readonly what: string; readonly names?: "nobody" }

export class Carol {
  readonly #directory: Directory
  readonly #story: Story
  #lastPage = ""

  constructor(directory: Directory, story: Story) {
    this.#directory = directory
    this.#story = story
  }

  /** Hands one mail to whom the directory names for the domain. */
  async mails(to: string, what: string, insists: Insists = "on nothing", from = CAROL): Promise<Outcome> {
    const outcome = await this.#sendMail({ to, from, what }, insists)
    const sender = from === CAROL ? "" : ` from ${from}`
    this.#story.says("Carol", outcome.from, `mail${sender} for ${to}: "${what}"`, outcome.sealedFor)
    this.#story.says(outcome.from, "Carol", outcome.reply, outcome.sealedFor)
    return outcome
  }

  /** As `mails`, from a sender whose TLS carries no server name, as Postfix's does where there is no DANE. */
  async mailsNamingNobody(to: string, what: string): Promise<Outcome> {
    const outcome = await this.#sendMail({ to, from: CAROL, what, names: "nobody" }, "on nothing")
    this.#story.says("Carol", outcome.from, `mail for ${to}, naming nobody: "${what}"`, outcome.sealedFor)
    this.#story.says(outcome.from, "Carol", outcome.reply, outcome.sealedFor)
    return outcome
  }

  /** As `mailsNamingNobody`, where whoever answers must turn her away; resolves to the reply. */
  async isTurnedAwayNamingNobody(to: string, what: string): Promise<string> {
    const refusal = await this.#sendMail({ to, from: CAROL, what, names: "nobody" }, "on nothing").then(
      () => "taken",
      (error: Error) => error.message,
    )
    const reply = /\d{3} \d\.\d\.\d [^\r\n]*/.exec(refusal)?.[0]
    if (!reply) throw new Error(`Carol was not turned away: ${refusal}`)
    this.#story.says("Carol", "Bob", `TLS that names nobody, for ${to}`, "Bob")
    this.#story.says("Bob", "Carol", reply, "Bob")
    return reply
  }

  /** As `mails`, where she must not send: whoever answers shows another key, or none. */
  async doesNotMail(to: string, what: string, insists: Insists): Promise<void> {
    const sent = await this.#sendMail({ to, from: CAROL, what }, insists).then(
      () => true,
      () => false,
    )
    if (sent) throw new Error("Carol sent what she should not have sent")
    this.#story.found("Carol", `insists ${insists}, does not get it, and sends nothing`)
  }

  /** Logs in to her mailbox at the name, over IMAP. */
  async logsIn(name: string, password: string, insists: Insists): Promise<Outcome> {
    const where = this.#directory.where("imap", name)
    const { reply, tls } = await logIn(where, { name, password, insists, trusted: this.#directory.trusted })
    const sealedFor = tls && this.#ownerOf(tls)
    const from = sealedFor ?? person(name)
    this.#story.says("Carol", from, `LOGIN with "${password}"`, sealedFor)
    this.#story.says(from, "Carol", reply, sealedFor)
    return { reply, sealedFor, from }
  }

  /** As `logsIn`, where her program must not give the password away. */
  async doesNotLogIn(name: string, password: string, insists: Insists): Promise<void> {
    const loggedIn = await this.logsIn(name, password, insists).then(
      () => true,
      () => false,
    )
    if (loggedIn) throw new Error("Carol's program logged in where it should not have")
    this.#story.found("Carol", `insists ${insists}, does not get it, and says no password`)
  }

  /** Asks for a page, and writes something on the way. `namesNobody`: her TLS carries no server name. */
  async visits(
    url: string,
    { writes, namesNobody = false }: { writes: string; namesNobody?: boolean },
  ): Promise<Outcome> {
    const outcome = await this.#ask(new URL(url), writes, namesNobody)
    this.#story.says("Carol", outcome.from, `POST ${url}: "${writes}"`, outcome.sealedFor)
    return outcome
  }

  /** Begins to fetch something big; it goes on while other things happen. */
  async downloads(url: string): Promise<Download> {
    const asked = new URL(url)
    const download = await Download.begin(this.#requestOf(asked, "GET"))
    const sealedFor = this.#sealedFor(download.response)
    const byGateway = download.response.headers.via !== undefined
    this.#story.says("Carol", byGateway ? "Bob" : (sealedFor ?? person(asked.hostname)), `GET ${url}`, sealedFor)
    return download
  }

  /** Gets no page at all. */
  async cannotVisit(url: string): Promise<void> {
    const got = await this.#ask(new URL(url), "", false).then(
      () => true,
      () => false,
    )
    if (got) throw new Error("Carol got a page that she should not have got")
    this.#story.found("Carol", `gets no page at ${url}`)
  }

  /** Says it to a port of the name's own, in no protocol at all. */
  async speaksTo(name: string, what: string): Promise<void> {
    const { address, port } = this.#directory.where("tcp", name)
    const socket = connect({ host: address, port, ...fromCarol(address) })
    socket.end(what)
    this.#story.says("Carol", person(name), `"${what}"`)
    this.#story.says(person(name), "Carol", (await text(socket)).trim())
  }

  /** What the last page said. */
  reads(page: string, from: Outcome): void {
    if (!this.#lastPage.includes(page)) throw new Error(`Carol's page says "${this.#lastPage}", not "${page}"`)
    this.#story.says(from.from, "Carol", `${from.reply}: "${page}"`, from.sealedFor)
  }

  async #sendMail(mail: Mail, insists: Insists): Promise<Outcome> {
    const domain = mail.to.slice(mail.to.indexOf("@") + 1)
    const { address, port } = this.#directory.where("smtp", domain)
    const socket = connect({ host: address, port, ...fromCarol(address) })
    const greeting = firstWords(socket)
    const connection = new SMTPConnection({
      connection: socket,
      name: "mail.carol.example",
      ...(mail.names !== "nobody" && { servername: domain }),
      ...demands(insists, this.#directory.trusted),
    })
    try {
      await new Promise<void>((resolve, reject) => {
        connection.once("error", reject)
        connection.connect((error) => (error ? reject(error) : resolve()))
      })
      const sealedFor = connection.secure ? this.#ownerOf(tlsOf(connection)) : undefined
      const from = sealedFor ?? greeter(await greeting)
      const reply = await send(connection, mail)
      connection.quit()
      await once(connection, "end")
      return { reply, sealedFor, from }
    } finally {
      connection.close()
    }
  }

  async #ask(url: URL, writes: string, namesNobody: boolean): Promise<Outcome> {
    const service = url.protocol === "https:" ? "https" : "http"
    const request = this.#requestOf(url, "POST", namesNobody)
    const { reply, sealedFor, via } = await this.#answerTo(request, writes)
    const owner = service === "https" ? sealedFor : undefined
    // RFC 9110 §15.6: only a gateway answers so.
    const byGateway = via || ["502", "503", "504"].includes(reply)
    return { reply, sealedFor: owner, from: byGateway ? "Bob" : (owner ?? person(url.hostname)) }
  }

  #requestOf(url: URL, method: "GET" | "POST", namesNobody = false): ClientRequest {
    const service = url.protocol === "https:" ? "https" : "http"
    const { address: host, port } = this.#directory.where(service, url.hostname)
    const asked = {
      host,
      port,
      ...fromCarol(host),
      method,
      path: url.pathname,
      headers: { host: url.hostname },
      agent: false,
    } as const
    const tls = {
      ca: this.#directory.trusted,
      servername: namesNobody ? "" : url.hostname,
      checkServerIdentity: () => undefined,
    }
    return service === "https" ? secureRequest({ ...asked, ...tls }) : plainRequest(asked)
  }

  async #answerTo(
    request: ClientRequest,
    writes: string,
  ): Promise<{ reply: string; sealedFor: Person | undefined; via: boolean }> {
    request.end(writes)
    const [response] = (await once(request, "response")) as [IncomingMessage]
    const sealedFor = this.#sealedFor(response)
    this.#lastPage = await text(response)
    return { reply: String(response.statusCode), sealedFor, via: response.headers.via !== undefined }
  }

  #sealedFor({ socket }: IncomingMessage): Person | undefined {
    return "getPeerX509Certificate" in socket ? this.#ownerOf(socket as TLSSocket) : undefined
  }

  #ownerOf(socket: TLSSocket): Person {
    const shown = socket.getPeerX509Certificate()
    return (shown && this.#directory.keyOwner(shown.fingerprint256)) ?? "Bob" // nobody else has a key in these stories
  }
}

function fromCarol(to: string) {
  return to.includes(":") ? {} : { localAddress: CAROLS_ADDRESS }
}

/** What nodemailer is told. */
export function demands(insists: Insists, ca: string[]) {
  switch (insists) {
    case "on nothing":
      return { opportunisticTLS: true, tls: { rejectUnauthorized: false } }
    case "on the right key":
      return { requireTLS: true, tls: { ca } }
    case "on no TLS":
      return { ignoreTLS: true }
  }
}

/** nodemailer keeps the socket that it upgraded to itself. */
export function tlsOf(connection: SMTPConnection): TLSSocket {
  return (connection as unknown as { _socket: TLSSocket })._socket
}

async function send(connection: SMTPConnection, { to, from, what }: Mail): Promise<string> {
  const content = `From: ${from}\r\nTo: ${to}\r\nSubject: A question\r\n\r\n${what}\r\n`
  return new Promise((resolve, reject) => {
    connection.send({ from, to: [to] }, content, (error, info) => {
      if (error) reject(error)
      else resolve(info?.response.slice(0, 3) ?? "")
    })
  })
}

async function firstWords(socket: Socket): Promise<string> {
  const [words] = (await once(socket, "data")) as [Buffer]
  return words.toString("latin1")
}

/** RFC 5321 §4.2: the greeting begins with the host's name. */
function greeter(greeting: string): Person {
  return person(/^220[ -](\S+)/.exec(greeting)?.[1] ?? "")
}

function person(name: string): Person {
  if (name.includes("bob")) return "Bob"
  return name.includes("alice") ? "Alice" : "Dave"
}
