/** Everybody else on the internet: asks for pages and sends mail through the relay, checking keys where there are any. */
import { get as getPlain, type IncomingMessage } from "node:http"
import { get as getSecure } from "node:https"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { createTransport } from "nodemailer"

export type Target = {
  /** What Carol asks for; she knows Bob's address for it from DNS. */
  readonly name: string
  readonly address: string
  readonly port: number
  /** The certificate that has to be shown (PEM); without one she speaks plain text. */
  readonly pinned?: string
}

export type Answer = { readonly status: number | undefined; readonly text: string }

/** Rejects if the key that is shown is not the pinned one. */
export async function askWeb({ name, address, port, pinned }: Target, path: string): Promise<Answer> {
  const where = { host: address, port, path, headers: { host: `${name}:${port}` }, agent: false } as const
  const asked = pinned ? getSecure({ ...where, ca: pinned, servername: name }) : getPlain(where)
  const [response] = (await once(asked, "response")) as [IncomingMessage]
  return { status: response.statusCode, text: await text(response) }
}

/** Resolves to the server's answer to the content, "250 …". Rejects if it refuses or shows another key. */
export async function sendMail({ name, address, port, pinned }: Target, to: string, content: string): Promise<string> {
  const tls = pinned ? { requireTLS: true, tls: { ca: pinned, servername: name } } : { ignoreTLS: true }
  const transport = createTransport({ name: "mail.carol.example", host: address, port, ...tls })
  const { response } = await transport.sendMail({
    from: "carol@carol.example",
    to,
    subject: "A question",
    text: content,
  })
  transport.close()
  return response
}
