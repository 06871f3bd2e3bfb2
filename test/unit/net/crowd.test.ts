import { expect, test } from "@jest/globals"
import fc from "fast-check"
import { Crowd } from "../../../src/net/crowd.ts"

type Member = { readonly name: number; place: number }

test("whoever came and has not left is inside, whatever the order", () => {
  const moves = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 9 })))
  fc.assert(
    fc.property(moves, (comings) => {
      const all: Member[] = Array.from({ length: 10 }, (_, name) => ({ name, place: 0 }))
      const crowd = new Crowd<"place", Member>("place")
      const inside = new Set<Member>()
      for (const [comes, index] of comings) {
        const member = all[index]
        if (!member) continue
        if (comes && !inside.has(member)) {
          crowd.add(member)
          inside.add(member)
        } else if (!comes) {
          crowd.remove(member)
          inside.delete(member)
        }
        expect(crowd.size).toBe(inside.size)
        expect(new Set(crowd.members)).toEqual(inside)
      }
    }),
  )
})
