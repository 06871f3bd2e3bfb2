import { expect, test } from "@jest/globals"
import fc from "fast-check"
import { Admission, type AdmissionLimits } from "../../../src/net/admission.ts"
import { address } from "../../support/loopback.ts"

const LIMITS: AdmissionLimits = { connectionsMax: 5, connectionsPerSourceMax: 2, connectionsPerFriendMax: 3 }
const [one, two, three] = [address("192.0.2.1"), address("192.0.2.2"), address("192.0.2.3")]

test("counts by source, by friend and in all", () => {
  const admission = new Admission(() => LIMITS)
  expect(admission.admit(one, "alice")).not.toBe("TOO_MANY_FROM_SOURCE")
  admission.admit(one, "dave")
  expect(admission.admit(one, "alice")).toBe("TOO_MANY_FROM_SOURCE")
  admission.admit(two, "alice")
  admission.admit(two, "alice")
  expect(admission.admit(three, "alice")).toBe("TOO_MANY_FOR_FRIEND")
  admission.admit(three, "dave")
  expect(admission.admit(three, "dave")).toBe("TOO_MANY_IN_ALL")
  expect(admission.all).toBe(5)
})

test("an IPv6 source is its /64, an IPv4 source its address", () => {
  const admission = new Admission(() => ({ ...LIMITS, connectionsPerSourceMax: 1 }))
  admission.admit(address("2001:db8:1:2::1"), undefined)
  expect(admission.refusal(address("2001:db8:1:2:ffff::9"), undefined)).toBe("TOO_MANY_FROM_SOURCE")
  expect(admission.refusal(address("2001:db8:1:3::1"), undefined)).toBeUndefined()
  admission.admit(one, undefined)
  expect(admission.refusal(two, undefined)).toBeUndefined()
  expect(admission.refusal(address("::ffff:192.0.2.1"), undefined)).toBe("TOO_MANY_FROM_SOURCE")
})

test("who is unknown is counted in all, and against nobody", () => {
  const admission = new Admission(() => ({ ...LIMITS, connectionsPerSourceMax: 1 }))
  for (let count = 0; count < 5; count += 1) expect(typeof admission.admit(undefined, undefined)).toBe("object")
  expect(admission.admit(undefined, undefined)).toBe("TOO_MANY_IN_ALL")
})

test("new limits hold for the next, and those inside stay", () => {
  let limits = LIMITS
  const admission = new Admission(() => limits)
  admission.admit(one, "alice")
  limits = { ...LIMITS, connectionsMax: 1 }
  expect(admission.refusal(two, "dave")).toBe("TOO_MANY_IN_ALL")
  expect(admission.all).toBe(1)
})

test("a ticket is given back once, however often it is released, and then all is as before", () => {
  const who = fc.constantFrom(one, two, three, undefined)
  const whose = fc.constantFrom("alice", "dave", undefined)
  fc.assert(
    fc.property(fc.array(fc.tuple(who, whose, fc.integer({ min: 1, max: 3 }))), (visits) => {
      const admission = new Admission(() => LIMITS)
      for (const [source, friend, releases] of visits) {
        const ticket = admission.admit(source, friend)
        for (let again = 0; again < releases; again += 1) if (typeof ticket === "object") ticket.release()
        expect(admission.all).toBe(0)
        expect(admission.refusal(source, friend)).toBeUndefined()
      }
    }),
  )
})

test("a connection whose friend becomes known later counts as that friend's from then on, once", () => {
  const admission = new Admission(() => ({ ...LIMITS, connectionsPerFriendMax: 1 }))
  const ticket = admission.admit(one, undefined)
  const other = admission.admit(two, undefined)
  if (typeof ticket === "string" || typeof other === "string") throw new Error("there is room for two")
  expect(ticket.assign("alice")).toBeUndefined()
  expect(ticket.assign("alice")).toBeUndefined()
  expect(other.assign("alice")).toBe("TOO_MANY_FOR_FRIEND")
  ticket.release()
  expect(other.assign("alice")).toBeUndefined()
  expect(admission.all).toBe(1)
})
