/**
 * Mail sealed to a friend's box: content is encrypted with age (age-encryption.org/v1) while it streams by, and opened at home.
 * The one place that knows age, which is loaded when it is needed: few relays keep sealed mail. It protects what lies on a disk; who has seen the content before it was sealed has seen it.
 */
import { ageRecipient, type AgeRecipient } from "../names/age-recipient.ts"

export type Sealer = {
  /** Resolves when more may be given. Rejects with what `out` rejected with. */
  write(piece: Uint8Array): Promise<void>
  /** Nothing more comes; resolves when all has gone out. */
  end(): Promise<void>
  /** What was given so far can never be opened. */
  abort(): Promise<void>
}

/** Seals what is written and hands it on, piece by piece; holds two chunks of age's, 64 kB each. */
export async function sealer(to: AgeRecipient, out: (sealed: Uint8Array) => Promise<void>): Promise<Sealer> {
  const { Encrypter } = await age()
  const encrypter = new Encrypter()
  encrypter.addRecipient(to)
  const plain = new TransformStream<Uint8Array, Uint8Array>()
  const sealed = await encrypter.encrypt(plain.readable)
  const writer = plain.writable.getWriter()
  writer.closed.catch(() => {}) // `gone` tells
  const gone = (async () => {
    for await (const piece of sealed) await out(piece)
  })()
  const broken = gone.then(() => new Promise<never>(() => {}))
  broken.catch(() => {}) // told to whoever writes
  return {
    write: (piece) => Promise.race([writer.write(piece), broken]).catch(() => broken),
    end: async () => {
      await Promise.race([writer.close(), broken]).catch(() => broken)
      await gone
    },
    abort: async () => {
      await writer.abort().catch(() => {})
      await gone.catch(() => {})
    },
  }
}

/**
 * What was sealed to one of these identities. Rejects while it is read, and says so to `broken`, if it was not, or if any of it is
 * missing or changed.
 */
export async function* unsealed(
  content: AsyncIterable<Uint8Array>,
  identities: readonly string[],
  broken: (why: Error) => void,
): AsyncGenerator<Uint8Array> {
  const { Decrypter } = await age()
  const decrypter = new Decrypter()
  for (const identity of identities) decrypter.addIdentity(identity)
  try {
    yield* await decrypter.decrypt(ReadableStream.from(content))
  } catch (error) {
    broken(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

/** A new private key, `AGE-SECRET-KEY-1…`. */
export async function newIdentity(): Promise<string> {
  return (await age()).generateX25519Identity()
}

/** Its public half; rejects if it is no private key. */
export async function recipientOf(identity: string): Promise<AgeRecipient> {
  const { identityToRecipient } = await age()
  const recipient = ageRecipient(await identityToRecipient(identity))
  if (!recipient) throw new Error("the key is none that mail is sealed to")
  return recipient
}

function age() {
  return import("age-encryption")
}
