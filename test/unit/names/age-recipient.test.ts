import { expect, test } from "@jest/globals"
import { Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption"
import fc from "fast-check"
import { ageRecipient } from "../../../src/names/age-recipient.ts"

/** BIP 173's letters. */
const LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l".split("")
/** Of the age specification, github.com/C2SP/C2SP/blob/main/age.md. */
const SPECIFIED = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

test("a recipient of the specification is one, and nothing else that resembles it", () => {
  expect(ageRecipient(SPECIFIED)).toBe(SPECIFIED)
  for (const other of [SPECIFIED.toUpperCase(), SPECIFIED.slice(0, -1), `${SPECIFIED}q`, ` ${SPECIFIED}`, "age1", ""])
    expect(ageRecipient(other)).toBeUndefined()
})

test("every recipient that age makes is one", async () => {
  for (let made = 0; made < 20; made++) {
    const recipient = await identityToRecipient(await generateX25519Identity())
    expect(ageRecipient(recipient)).toBe(recipient)
  }
})

test("a mistyped letter is seen wherever it is, as age sees it", () => {
  fc.assert(
    fc.property(fc.nat(SPECIFIED.length - 5), fc.constantFrom(...LETTERS), (place, letter) => {
      const at = place + 4
      const typed = SPECIFIED.slice(0, at) + letter + SPECIFIED.slice(at + 1)
      expect(ageRecipient(typed) !== undefined).toBe(typed === SPECIFIED)
      expect(ageRecipient(typed) !== undefined).toBe(isOneForAge(typed))
    }),
  )
})

test("the bits behind the key are zeros, as age wants them", () => {
  const padded = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73epp9g8nq" // the same key, a one behind it, and the sum of that
  expect([ageRecipient(padded), isOneForAge(padded)]).toEqual([undefined, false])
})

function isOneForAge(text: string): boolean {
  try {
    new Encrypter().addRecipient(text)
    return true
  } catch {
    return false
  }
}
