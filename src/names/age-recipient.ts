/**
 * Whom something is encrypted to with age (age-encryption.org/v1): the public half of a key, checked. Without the library, which
 * every start would load to read a file in which the word mostly does not occur.
 */

/** `age1` and 58 more characters. */
export type AgeRecipient = string & { readonly __brand: "AgeRecipient" }

/** X25519 alone: other kinds are longer than a line of a configuration, or ask for a device at home. */
const X25519 = /^age1[02-9ac-hj-np-z]{58}$/

export function ageRecipient(text: string): AgeRecipient | undefined {
  if (!X25519.test(text)) return undefined
  const values = Array.from(text.slice(PREFIX.length + 1), (letter) => LETTERS.indexOf(letter))
  if (checksum([...PREFIX_VALUES, ...values]) !== 1 || !padsWithZeros(values)) return undefined
  return text as AgeRecipient // the only cast to AgeRecipient in the program
}

const PREFIX = "age"
/** BIP 173, "Bech32": the letter of each value. */
const LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
/** BIP 173, "Checksum". */
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
const CHECKSUM_LETTERS = 6

/** BIP 173: the prefix takes part in the checksum as the high bits of each character, a zero, the low bits of each. */
const PREFIX_VALUES = [
  ...Array.from(PREFIX, (character) => character.charCodeAt(0) >> 5),
  0,
  ...Array.from(PREFIX, (character) => character.charCodeAt(0) & 31),
]

/** Of five bits each; 1 when the last six are the checksum of the others. */
function checksum(values: readonly number[]): number {
  return values.reduce((sum, value) => {
    const top = sum >>> 25
    const next = ((sum & 0x1ffffff) << 5) ^ value
    return GENERATOR.reduce((mixed, part, bit) => ((top >> bit) & 1 ? mixed ^ part : mixed), next)
  }, 1)
}

/** BIP 173: 52 letters are 260 bits, of a key of 256; "this padding MUST be all zeros". */
function padsWithZeros(values: readonly number[]): boolean {
  const last = values.at(-CHECKSUM_LETTERS - 1) ?? 0
  return (last & 0b1111) === 0
}
