/** A home of the demo: one web server and one mail server on loopback, with or without a key of their own. */
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { createServer as createPlainServer, type RequestListener } from "node:http"
import { createServer as createSecureServer } from "node:https"
import type { AddressInfo, Server } from "node:net"
import type { Readable } from "node:stream"
import { text } from "node:stream/consumers"
import { SMTPServer } from "smtp-server"
import { LOOPBACK } from "./loopback.ts"

/** What came home: all of it, and something in it that occurs nowhere else, so that it can be looked for. */
export type Received = {
  readonly by: string
  readonly kind: "web" | "mail"
  readonly text: string
  readonly mark: string
}

export type Box = AsyncDisposable & { readonly webPort: number; readonly mailPort: number }

export type BoxOptions = {
  /** The host name that it answers for. */
  readonly name: string
  /** PEM. Without them the box speaks HTTP and SMTP in plain text, and a relay is its only protection. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** A mail is acknowledged when this has resolved. */
  readonly received: (what: Received) => Promise<void>
}

export async function openBox(options: BoxOptions): Promise<Box> {
  await using undo = new AsyncDisposableStack()
  const web = undo.adopt(webServer(options), closeWeb)
  const mail = undo.adopt(mailServer(options), closeMail)
  const ports = { webPort: await portOf(web), mailPort: await portOf(mail.listen(0, LOOPBACK)) }
  const kept = undo.move()
  return { ...ports, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

type WebServer = ReturnType<typeof createPlainServer> | ReturnType<typeof createSecureServer>

function webServer({ name, tls, received }: BoxOptions): WebServer {
  const answer: RequestListener = (request, response) => {
    const ticket = randomUUID()
    const page = `${name} answers ${request.method} ${request.url}, ticket ${ticket}\n`
    response.setHeader("content-type", "text/plain")
    response.end(page)
    response.once("close", () => void received({ by: name, kind: "web", text: page, mark: ticket }))
  }
  return (tls ? createSecureServer(tls, answer) : createPlainServer(answer)).listen(0, LOOPBACK)
}

function mailServer({ name, tls, received }: BoxOptions): SMTPServer {
  const server = new SMTPServer({
    name,
    ...(tls ?? { hideSTARTTLS: true }),
    authOptional: true,
    disabledCommands: ["AUTH"],
    disableReverseLookup: true,
    logger: false,
    onData: (stream, _, done) => void takeMail(stream, done),
  })
  async function takeMail(stream: Readable, done: (error?: Error) => void): Promise<void> {
    try {
      const mail = await text(stream)
      await received({ by: name, kind: "mail", text: mail, mark: onlyInThis(mail) })
      done()
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)))
    }
  }
  return server.on("error", () => {}) // a visitor who hangs up in the middle is no event for a demo
}

/** Two mails may say the same; their Message-ID differs, and if there is none the whole text must do. */
function onlyInThis(mail: string): string {
  return /^message-id:\s*(<\S+>)/im.exec(mail)?.[1] ?? mail.slice(mail.indexOf("\r\n\r\n") + 4).trim()
}

async function portOf(server: Server): Promise<number> {
  if (!server.listening) await once(server, "listening")
  return (server.address() as AddressInfo).port // listening on TCP
}

async function closeWeb(server: WebServer): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

async function closeMail(server: SMTPServer): Promise<void> {
  for (const { _socket: socket } of server.connections) socket.destroy()
  await new Promise<void>((resolve) => server.close(resolve))
}
