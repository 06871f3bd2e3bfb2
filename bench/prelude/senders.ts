/** Senders as the bench needs them: a prelude and nothing behind it, one that says nothing, and one mail from end to end. */
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import SMTPConnection from "nodemailer/lib/smtp-connection"
import { helloFor } from "../dataplane/hello.ts"
import { HELLO_CAME } from "./home.ts"
import { FRIENDS_HOST } from "./shared-port.ts"

const HELLO = helloFor(FRIENDS_HOST, "post-quantum")

/** From connecting until the friend's server has said that it has the ClientHello. */
export async function prelude(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1")
  await said(socket, "220 ")
  socket.write("EHLO mail.carol.example\r\n")
  await said(socket, "250 STARTTLS")
  socket.write("STARTTLS\r\n")
  await said(socket, "220 ")
  socket.write(HELLO)
  await said(socket, HELLO_CAME)
  socket.destroy()
}

/** Connects, hears the greeting, and says nothing; resolves to the socket. */
export async function silent(port: number, from: string): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", localAddress: from })
  await said(socket, "220 ")
  return socket
}

/** Milliseconds from connecting until the friend's server has taken MAIL FROM, through TLS that ends there. */
export async function msToFirstMailByte(host: string, port: number): Promise<number> {
  const begun = performance.now()
  const connection = new SMTPConnection({
    host,
    port,
    requireTLS: true,
    name: "mail.carol.example",
    // In TLS 1.3 a server speaks out of turn (session tickets), and turns could not be counted.
    tls: { servername: FRIENDS_HOST, rejectUnauthorized: false, maxVersion: "TLSv1.2" },
  })
  await new Promise<void>((resolve, reject) => {
    connection.once("error", reject)
    connection.connect((error) => (error ? reject(error) : resolve()))
  })
  const tookMs = performance.now() - begun
  connection.close()
  return tookMs
}

async function said(socket: Socket, words: string): Promise<void> {
  let heard = ""
  while (!heard.includes(words)) {
    const [bytes] = (await once(socket, "data")) as [Buffer]
    heard += bytes.toString("latin1")
  }
}
