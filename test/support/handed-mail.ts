/** Mail as a relay hands it to a box as a whole, and a box that takes it, without the tunnel between them. */
import { MailHome } from "../../src/box/mail-home.ts"
import { openMailJournal } from "../../src/box/mail-journal.ts"
import { systemClock } from "../../src/clock/clock.ts"
import type { Log } from "../../src/log/log.ts"
import { hostname, type Hostname } from "../../src/names/hostname.ts"
import { sealIdentity } from "../../src/seal/identity.ts"
import { letterText, type Letter } from "../../src/smtp/transfer/letter.ts"
import type { MessageId } from "../../src/store/spool.ts"
import { serviceName, type ServiceName } from "../../src/tunnel/wire.ts"
import { LOOPBACK } from "./loopback.ts"
import { envelope } from "./spool.ts"

export const SMTP = serviceName("smtp") as ServiceName
export const CONTENT = "Received: from sender\r\nSubject: noon\r\n\r\nMeet me\r\n"

/** With its state in this folder, and a mail server on this port of the loopback. */
export async function mailHome(folder: string, port: number, log: Log): Promise<MailHome> {
  const journal = await openMailJournal(folder, systemClock, log)
  const services = new Map([["smtp", { to: { host: LOOPBACK.address, port }, proxy: "none", probe: true } as const]])
  return new MailHome({ services, journal, keys: (await sealIdentity(folder)).keys, clock: systemClock, log })
}

export function letter(
  to: readonly string[] = ["dave@dave.example"],
  different: Partial<Letter["message"]> = {},
): Letter {
  const about = envelope(different)
  const attempt = { at: "waiting", until: 0, tries: 0, lastReply: undefined } as const
  const recipients = to.map((address) => ({ address, notify: undefined, orcpt: undefined, attempt }))
  const message = { ...about, id: "abcdefghijklmnop" as MessageId, sizeBytes: CONTENT.length, recipients, ...different }
  return { by: hostname("relay.bob.example") as Hostname, message, visitorName: undefined, pinned: undefined }
}

export async function* pieces(...texts: readonly (string | Buffer)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text as string) // Buffer.from takes either
}

/** What the box says of each recipient: `accepted`, `refused` or `later`, and the server's reply if it spoke. */
export async function hand(to: MailHome, given: Letter = letter(), content = pieces(CONTENT), relay = "bob") {
  const said = await to.takesFrom(relay).take({ service: SMTP, about: letterText(given), contentBytes: 0, content })
  const { answers } = JSON.parse(said ?? '{"answers":[]}') as { answers: { kind: string; reply?: string }[] }
  return answers.map(({ kind, reply = "" }) => `${kind} ${reply}`.trim())
}
