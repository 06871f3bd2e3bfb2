/** A mailbox over IMAP: the server in a box, as lenient as many are, and a program that logs in there. */
import { once } from "node:events"
import { connect, createServer, type Server, type Socket } from "node:net"
import { connect as connectTls, TLSSocket } from "node:tls"
import type { SocketAddress } from "../../../src/names/endpoint.ts"
import type { KeyPair } from "../../support/key-pair.ts"
import type { Insists } from "./carol.ts"

/** `told`: the password of whoever logs in, and whether TLS protected it. It takes passwords in the clear too. */
export function mailboxServer(own: KeyPair, told: (password: string, sealed: boolean) => void): Server {
  return createServer((socket) => {
    socket.write("* OK [CAPABILITY IMAP4rev1 STARTTLS] alice.example\r\n")
    serve(socket, own, told)
  })
}

function serve(socket: Socket, own: KeyPair, told: (password: string, sealed: boolean) => void): void {
  const sealed = socket instanceof TLSSocket
  socket.on("error", () => {}) // a program that hangs up in the middle is no event
  socket.on("data", (bytes: Buffer) => {
    const [tag, command, ...words] = bytes.toString().trim().split(" ")
    if (command === "STARTTLS") {
      socket.removeAllListeners("data")
      socket.write(`${tag} OK Begin\r\n`)
      return serve(new TLSSocket(socket, { isServer: true, ...own }), own, told)
    }
    if (command === "LOGIN") told(words[1] ?? "", sealed)
    return void socket.write(`${tag} OK Done\r\n`)
  })
}

export type LoggedIn = { readonly reply: string; readonly tls: TLSSocket | undefined }

type Login = { readonly name: string; readonly password: string; readonly insists: Insists; readonly trusted: string[] }

/** Logs in as mail programs do. Rejects where it insists on a key and is shown another, or none. */
export async function logIn(
  { address: host, port }: SocketAddress,
  { name, password, insists, trusted }: Login,
): Promise<LoggedIn> {
  const socket = connect({ host, port })
  const greeting = await heard(socket)
  const wantsTls = insists === "on the right key" || (insists === "on nothing" && greeting.includes("STARTTLS"))
  const tls = wantsTls
    ? await upgraded(socket, name, { ca: trusted, rejectUnauthorized: insists !== "on nothing" })
    : undefined
  const channel = tls ?? socket
  channel.write(`b LOGIN carol ${password}\r\n`)
  const reply = await heard(channel)
  channel.end()
  return { reply: reply.trim().slice(2, 4), tls }
}

async function upgraded(socket: Socket, servername: string, trust: { ca: string[]; rejectUnauthorized: boolean }) {
  socket.write("a STARTTLS\r\n")
  const answer = await heard(socket)
  if (!answer.startsWith("a OK")) {
    socket.destroy()
    throw new Error(`no TLS: ${answer}`)
  }
  const tls = connectTls({ socket, servername, ...trust })
  await once(tls, "secureConnect")
  return tls
}

async function heard(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, "data")) as [Buffer]
  return bytes.toString()
}
