import { expect, test } from "@jest/globals"
import fc from "fast-check"
import { latin1 } from "../../../src/bytes/latin1.ts"

const textOf = (bytes: Uint8Array): string => latin1(bytes, 0, bytes.length)

test("any bytes, anywhere in a larger run, are the text that Node makes of them; also when they come again", () => {
  const runs = fc.array(fc.tuple(fc.uint8Array({ maxLength: 100 }), fc.nat(9), fc.nat(9)))
  fc.assert(
    fc.property(runs, (all) => {
      for (const [bytes, before, behind] of [...all, ...all]) {
        const around = Buffer.concat([Buffer.alloc(before, 1), bytes, Buffer.alloc(behind, 2)])
        expect(latin1(around, before, before + bytes.length)).toBe(Buffer.from(bytes).toString("latin1"))
      }
    }),
  )
})

test("texts with the same digest stay apart", () => {
  // Pairs that FNV-1a of 32 bits does not tell apart.
  const texts = ["costarring", "liquid", "declinate", "macallums", "altarage", "zinke"]
  for (const text of [...texts, ...texts]) expect(textOf(Buffer.from(text))).toBe(text)
})

test("more different texts than are remembered are all right", () => {
  for (let number = 0; number < 10_000; number++) {
    const text = `friend-${number}.example`
    expect(textOf(Buffer.from(text))).toBe(text)
  }
})
