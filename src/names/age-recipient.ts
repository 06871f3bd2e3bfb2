/** Whom something is encrypted to with age (age-encryption.org/v1): the public half of a key, checked. */
import { bech32 } from "@scure/base"

/** `age1` and 58 more characters. */
export type AgeRecipient = string & { readonly __brand: "AgeRecipient" }

/** X25519 alone: other kinds are longer than a line of a configuration, or ask for a device at home. */
const X25519 = /^age1[02-9ac-hj-np-z]{58}$/

/** Checks what the sum of BIP 173 finds mistyped, and that what pads the key's last letter is zero. */
export function ageRecipient(text: string): AgeRecipient | undefined {
  if (!X25519.test(text)) return undefined
  const decoded = bech32.decodeUnsafe(text)
  if (!decoded || !bech32.fromWordsUnsafe(decoded.words)) return undefined
  return text as AgeRecipient // the only cast to AgeRecipient in the program
}
