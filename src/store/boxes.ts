/**
 * Which key belongs to which friend's box, and which invitations are open. One small file for each fact, written so
 * that it is there whole or not at all: `waypost invite` and a running relay work on the same folder without a lock.
 *
 *     STATE/boxes/FRIEND.json          { "pin": …, "since": …, "revoked": [ … ] }
 *     STATE/invitations/DIGEST.json    { "friend": …, "until": … }
 */
import { readdir, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import type { Instant } from "../clock/clock.ts"
import { readIfThere, replaceDurably } from "../files/durable-file.ts"

/** The key that a friend's box is known by. */
export type KnownBox = {
  readonly friend: string
  /** `undefined`: the old key was revoked and no new box has joined yet. */
  readonly pin: string | undefined
  readonly since: Instant
  /** Keys that were this friend's once; they open nothing and are never pinned again. */
  readonly revoked: readonly string[]
}

export type OpenInvitation = { readonly friend: string; readonly until: Instant }

/** Why an invitation cannot be made. */
export type InviteRefusal = "has-a-box" // `--replace` revokes its key

export type Boxes = {
  /** Whose box has this key. */
  friendOf(pin: string): Promise<string | undefined>
  /** Opens an invitation; with `replace` the friend's present key is revoked at once. */
  invite(digest: string, invitation: OpenInvitation, replace: boolean): Promise<InviteRefusal | undefined>
  /** Spends the invitation with this digest and pins the key; `undefined` if there is none, or if it has expired. */
  redeem(digest: string, pin: string, now: Instant): Promise<string | undefined>
  list(): Promise<readonly KnownBox[]>
}

const DIGEST = /^[A-Za-z0-9_-]{43}$/

export function boxesIn(stateFolder: string): Boxes {
  const boxes = join(stateFolder, "boxes")
  const invitations = join(stateFolder, "invitations")
  const boxFile = (friend: string) => join(boxes, `${friend}.json`)

  const list = async () => {
    const names = await filesIn(boxes)
    const known = await Promise.all(names.map((name) => readJson<KnownBox>(join(boxes, name))))
    return known.filter((box) => box !== undefined)
  }

  return {
    list,
    friendOf: async (pin) => (await list()).find((box) => box.pin === pin)?.friend,
    invite: async (digest, invitation, replace) => {
      const present = await readJson<KnownBox>(boxFile(invitation.friend))
      if (present?.pin !== undefined && !replace) return "has-a-box"
      if (present?.pin !== undefined) {
        const revoked = [...present.revoked, present.pin]
        await writeJson(boxFile(invitation.friend), { ...present, pin: undefined, revoked })
      }
      await writeJson(join(invitations, `${digest}.json`), invitation)
      return undefined
    },
    redeem: async (digest, pin, now) => {
      if (!DIGEST.test(digest)) return undefined
      const invitation = await take<OpenInvitation>(join(invitations, `${digest}.json`))
      if (!invitation || invitation.until < now) return undefined
      const present = await readJson<KnownBox>(boxFile(invitation.friend))
      const revoked = present?.revoked ?? []
      if (present?.pin !== undefined || revoked.includes(pin)) return undefined
      const box: KnownBox = { friend: invitation.friend, pin, since: now, revoked }
      await writeJson(boxFile(invitation.friend), box)
      return invitation.friend
    },
  }
}

/** Reads a file and removes it; of two who try at once only one gets it, because only one rename succeeds. */
async function take<Value>(path: string): Promise<Value | undefined> {
  const mine = `${path}.spent`
  try {
    await rename(path, mine)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const taken = await readJson<Value>(mine)
  await rm(mine)
  return taken
}

async function filesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith(".json"))
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

async function readJson<Value>(path: string): Promise<Value | undefined> {
  const text = await readIfThere(path)
  return text === undefined ? undefined : (JSON.parse(text) as Value) // written by us, whole or not at all
}

function writeJson(path: string, content: object): Promise<void> {
  return replaceDurably(path, JSON.stringify(content), 0o600)
}

function isMissing(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "ENOENT"
}
