/**
 * The secret with which a friend sees his own mail in the queue: one for each friend at most, of which only a digest is kept.
 *
 *     STATE/queue-tokens/FRIEND.json    { "digest": …, "since": … }
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import type { Instant } from "../clock/clock.ts"
import { readIfThere, replaceDurably, syncFolder } from "../files/durable-file.ts"

export type QueueTokens = {
  /** A new secret for the friend; the old one opens nothing from here on. */
  make(friend: string, now: Instant): Promise<string>
  /** False if there was none. */
  revoke(friend: string): Promise<boolean>
  list(): Promise<readonly { readonly friend: string; readonly since: Instant }[]>
  /** Whether this is the friend's secret. Takes as long where there is none. */
  isOf(friend: string, secret: string): Promise<boolean>
}

/** Ours: 128 bits, not to be guessed. */
const SECRET_BYTES = 16
/** As the configuration has names (config/schema.ts); nothing else is ever looked for in the folder. */
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/

type Kept = { readonly digest: string; readonly since: Instant }

export function queueTokensIn(stateFolder: string): QueueTokens {
  const folder = join(stateFolder, "queue-tokens")
  const fileOf = (friend: string) => join(folder, `${friend}.json`)
  const kept = async (friend: string): Promise<Kept | undefined> => {
    const text = NAME.test(friend) ? await readIfThere(fileOf(friend)) : undefined
    return text === undefined ? undefined : (JSON.parse(text) as Kept) // written by us, whole or not at all
  }
  return {
    make: async (friend, since) => {
      const secret = randomBytes(SECRET_BYTES).toString("base64url")
      await replaceDurably(
        fileOf(friend),
        JSON.stringify({ digest: digestOf(secret).toString("base64url"), since }),
        0o600,
      )
      return secret
    },
    revoke: async (friend) => {
      if (!(await kept(friend))) return false
      await rm(fileOf(friend))
      await syncFolder(folder)
      return true
    },
    list: async () => {
      const friends = (await filesIn(folder)).map((name) => name.replace(/\.json$/, ""))
      const all = await Promise.all(friends.map(async (friend) => ({ friend, since: (await kept(friend))?.since })))
      return all.flatMap(({ friend, since }) => (since === undefined ? [] : [{ friend, since }]))
    },
    isOf: async (friend, secret) => {
      const found = await kept(friend)
      const digest = Buffer.from(found?.digest ?? "", "base64url")
      const ours = digest.length === DIGEST_BYTES ? digest : Buffer.alloc(DIGEST_BYTES)
      return timingSafeEqual(ours, digestOf(secret)) && found !== undefined
    },
  }
}

const DIGEST_BYTES = 32

function digestOf(secret: string): Buffer {
  return createHash("sha256").update(`waypost queue token ${secret}`).digest()
}

async function filesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith(".json")).toSorted()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [] // what readdir rejects with
    throw error
  }
}
