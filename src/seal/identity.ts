/** The box's age identity: made on the first start, kept in its state folder, for its owner alone. */
import { join } from "node:path"
import { FaultError, fault } from "../faults/faults.ts"
import { createDurably, readIfThere } from "../files/durable-file.ts"
import type { AgeRecipient } from "../names/age-recipient.ts"
import { newIdentity, recipientOf } from "./seal.ts"

export type SealIdentity = {
  /** Private keys, the newest last; mail that was sealed to an older one is still opened. */
  readonly keys: readonly string[]
  /** Whom mail is to be sealed to. */
  readonly recipient: AgeRecipient
  /** Whose mail is opened: the recipients of all keys. */
  readonly recipients: readonly AgeRecipient[]
}

/** One key a line, as age-keygen writes them; lines with # are comments. Rejects with a FaultError STATE_DAMAGED. */
export async function sealIdentity(stateFolder: string): Promise<SealIdentity> {
  const file = join(stateFolder, "seal.age")
  if ((await readIfThere(file)) === undefined) await createDurably(file, `${await newIdentity()}\n`, 0o600)
  const lines = ((await readIfThere(file)) ?? "").split("\n").map((line) => line.trim())
  const keys = lines.filter((line) => line !== "" && !line.startsWith("#"))
  try {
    const recipients = await Promise.all(keys.map(recipientOf))
    const recipient = recipients.at(-1)
    if (recipient) return { keys, recipient, recipients }
  } catch {
    // told below, without a word of what is in it
  }
  throw new FaultError(fault("STATE_DAMAGED", `${file} holds no age identity`))
}
