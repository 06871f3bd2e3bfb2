/** A real spool in a folder of its own that goes away with it, and envelopes to put into it. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { silentLog } from "../../src/log/log.ts"
import { ipAddress } from "../../src/names/ip-address.ts"
import type { Envelope, MessageId, Spool } from "../../src/store/spool.ts"
import { openSpool, type SpoolOptions } from "../../src/store/sqlite-spool.ts"

export type TemporarySpool = AsyncDisposable & { readonly spool: Spool; readonly folder: string }

/** `await using kept = await temporarySpool()` */
export async function temporarySpool(options: Partial<SpoolOptions> = {}): Promise<TemporarySpool> {
  const folder = join(await mkdtemp(join(tmpdir(), "waypost-spool-")), "state")
  const spool = await openTestSpool(folder, options)
  return {
    spool,
    folder,
    async [Symbol.asyncDispose]() {
      await spool.close()
      await rm(join(folder, ".."), { recursive: true })
    },
  }
}

/** Opens the spool of a folder again, as a restart does. */
export function openTestSpool(folder: string, options: Partial<SpoolOptions> = {}): Promise<Spool> {
  return openSpool(folder, { log: silentLog, perFriendBytesMax: 1e9, ...options })
}

const CLIENT_ADDRESS = ipAddress("192.0.2.1") as NonNullable<ReturnType<typeof ipAddress>>

/** An ordinary envelope: Carol writes to Dave. */
export function envelope(different: Partial<Envelope> = {}): Envelope {
  return {
    friend: "dave",
    from: "carol@sender.example",
    recipients: [{ address: "dave@dave.example", notify: undefined, orcpt: undefined }],
    receivedAt: 1_000_000,
    body: "8bitmime",
    smtputf8: false,
    requireTls: false,
    ret: undefined,
    envid: undefined,
    sealed: false,
    client: { address: CLIENT_ADDRESS, helo: "mx.sender.example", tls: undefined },
    ...different,
  }
}

/** Puts a message into the spool; durable when it resolves. */
export async function keep(spool: Spool, content: string | Uint8Array, about?: Partial<Envelope>): Promise<MessageId> {
  const draft = spool.draft()
  try {
    await draft.write(typeof content === "string" ? Buffer.from(content) : content)
    await draft.commit(envelope(about))
  } catch (error) {
    await draft.discard()
    throw error
  }
  return draft.id
}

export async function contentOf(spool: Spool, id: MessageId): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of spool.content(id)) pieces.push(piece)
  return Buffer.concat(pieces)
}
