/**
 * Who may be written to, without saying who they are: keyed hashes of addresses, made by the friend and given to the
 * relay. Whoever reads the file learns no address that he does not guess, and not even how many there are. The relay,
 * which has the key beside them, can try guesses, as it can by looking at the mail; a thief of the file can too.
 *
 *     waypost-recipients 1
 *     key 5f…  (64 hexadecimal digits)
 *     0a…      (HMAC-SHA-256 of one address, 64 hexadecimal digits; sorted)
 */
import { createHmac, randomBytes } from "node:crypto"

const HEAD = "waypost-recipients 1"
const KEY_BYTES = 32
const DIGEST_BYTES = 32
/** Ours: lines are filled up with random ones to a multiple of this, so that the length of the file tells little. */
export const PADDED_TO = 64
/** Ours: beyond this a list is no friend's. 65 bytes each. */
export const HASHED_RECIPIENTS_MAX = 100_000

const KEY_LINE = /^key (?<key>[0-9a-f]{64})$/
const DIGEST = /^[0-9a-f]{64}$/

export class HashedRecipients {
  readonly #key: Buffer
  readonly #digests: ReadonlySet<string>

  private constructor(key: Buffer, digests: ReadonlySet<string>) {
    this.#key = key
    this.#digests = digests
  }

  /** `undefined`: the text is no such list. */
  static read(text: string): HashedRecipients | undefined {
    const [head, keyLine = "", ...digests] = text.split(/\r?\n/)
    const key = KEY_LINE.exec(keyLine)?.groups?.["key"]
    const whole = head === HEAD && digests.pop() === "" // the last line has its end too: nothing is missing
    if (!whole || key === undefined || digests.length > HASHED_RECIPIENTS_MAX) return undefined
    return digests.every((line) => DIGEST.test(line))
      ? new HashedRecipients(Buffer.from(key, "hex"), new Set(digests))
      : undefined
  }

  /** Whether the address is on the list. Case does not matter, as nowhere in the configuration. */
  has(address: string): boolean {
    return this.#digests.has(digestOf(address, this.#key))
  }
}

/** So many bytes of chance. */
type Random = (bytes: number) => Buffer

/** The file for these addresses, with a fresh key: two files of the same addresses have nothing in common. */
export function writeHashedRecipients(addresses: readonly string[], random: Random = randomBytes): string {
  const key = random(KEY_BYTES)
  const digests = new Set(addresses.map((address) => digestOf(address, key)))
  while (digests.size === 0 || digests.size % PADDED_TO !== 0) digests.add(random(DIGEST_BYTES).toString("hex"))
  return [HEAD, `key ${key.toString("hex")}`, ...[...digests].toSorted(), ""].join("\n")
}

/** One spelling for each address: small letters, and one of the ways to write é (Unicode NFC). */
function digestOf(address: string, key: Buffer): string {
  return createHmac("sha256", key).update(address.normalize("NFC").toLowerCase()).digest("hex")
}
