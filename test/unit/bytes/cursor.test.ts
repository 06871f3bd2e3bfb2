import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { Cursor } from "../../../src/bytes/cursor.ts"

const over = (...bytes: number[]) => new Cursor(Uint8Array.from(bytes))

describe("a cursor", () => {
  test("reads numbers in network order", () => {
    const cursor = over(1, 2, 3, 4, 5, 6, 0xff, 0xff, 0xff, 0xfe)
    expect(cursor.u8()).toBe(0x01)
    expect(cursor.u16()).toBe(0x0203)
    expect(cursor.u24()).toBe(0x040506)
    expect(cursor.u32()).toBe(0xfffffffe)
    expect(cursor.leftBytes).toBe(0)
  })

  test("says undefined where a number would run past the end", () => {
    expect(over().u8()).toBeUndefined()
    expect(over(1).u16()).toBeUndefined()
    expect(over(1, 2).u24()).toBeUndefined()
    expect(over(1, 2, 3).u32()).toBeUndefined()
  })

  test("stays at the end, however often it is asked", () => {
    const cursor = over(1)
    for (let times = 0; times < 3; times++) cursor.u16()
    expect(cursor.leftBytes).toBe(0)
    expect(cursor.take(0)).toEqual(new Uint8Array())
    expect(cursor.rest()).toEqual(new Uint8Array())
  })

  test("takes views of the same memory, not copies", () => {
    const bytes = Uint8Array.of(1, 2, 3)
    expect(new Cursor(bytes).take(2)?.buffer).toBe(bytes.buffer)
  })

  test("opens a block behind a length of one, two or three bytes", () => {
    expect(over(1, 7).block(1)?.rest()).toEqual(Uint8Array.of(7))
    expect(over(0, 1, 7).block(2)?.rest()).toEqual(Uint8Array.of(7))
    expect(over(0, 0, 1, 7, 8).block(3)?.rest()).toEqual(Uint8Array.of(7))
  })

  test("refuses a block that is longer than what there is", () => {
    expect(over(2, 7).block(1)).toBeUndefined()
    expect(over(0xff, 0xff, 7).block(2)).toBeUndefined()
    expect(over(0).block(2)).toBeUndefined()
  })

  test("a block cannot be left by reading", () => {
    const block = over(1, 7, 8, 9).block(1)
    expect(block?.u16()).toBeUndefined()
  })

  test("a block ends where it ends, also inside another", () => {
    const outer = over(0, 5, 2, 7, 8, 9, 10, 11).block(2)
    const inner = outer?.block(1)
    expect(inner?.take(3)).toBeUndefined()
    expect(inner?.skip(3)).toBe(false)
    expect(inner?.rest()).toEqual(Uint8Array.of(7, 8))
    expect(inner?.restText()).toBe("\x07\x08")
    expect(outer?.block(2)).toBeUndefined()
  })

  test("skips what nobody looks at", () => {
    const cursor = over(1, 2, 3)
    expect([cursor.skip(2), cursor.u8(), cursor.skip(0), cursor.skip(1)]).toEqual([true, 3, true, false])
  })

  test("skips a block without looking into it, and only one that is all there", () => {
    const cursor = over(0, 2, 7, 8, 9, 0, 1)
    expect([cursor.skipBlock(2), cursor.u8(), cursor.skipBlock(2)]).toEqual([2, 9, undefined])
    expect([over(1).skipBlock(1), over(0).skipBlock(2), over(0, 0, 1, 7).skipBlock(3)]).toEqual([
      undefined,
      undefined,
      1,
    ])
  })

  test.each([0, 31, 32, 33, 300])("reads %d bytes as Latin-1, whatever they are", (count) => {
    const bytes = Uint8Array.from({ length: count + 2 }, (_, at) => 255 - (at % 256))
    const cursor = new Cursor(bytes, 1, count + 1)
    expect(cursor.restText()).toBe(Buffer.from(bytes.subarray(1, count + 1)).toString("latin1"))
  })

  test("never throws and never reads outside, whatever is asked", () => {
    const asks = fc.constantFrom("u8", "u16", "u24", "u32", "block1", "block2", "block3", "skipBlock", "take")
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(asks, { maxLength: 32 }), (bytes, wishes) => {
        const cursor = new Cursor(bytes)
        for (const wish of wishes) ask(cursor, wish)
        expect(cursor.leftBytes).toBeGreaterThanOrEqual(0)
        expect(cursor.rest().length).toBe(cursor.leftBytes)
      }),
    )
  })
})

function ask(cursor: Cursor, wish: string): unknown {
  if (wish === "u8") return cursor.u8()
  if (wish === "u16") return cursor.u16()
  if (wish === "u24") return cursor.u24()
  if (wish === "u32") return cursor.u32()
  if (wish === "block1") return cursor.block(1)
  if (wish === "block2") return cursor.block(2)
  if (wish === "block3") return cursor.block(3)
  if (wish === "skipBlock") return cursor.skipBlock(2)
  return cursor.take(cursor.u8())
}
