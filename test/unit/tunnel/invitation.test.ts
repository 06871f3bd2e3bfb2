import { expect, test } from "@jest/globals"
import { endpoint, type Endpoint } from "../../../src/names/endpoint.ts"
import { pin, type Pin } from "../../../src/tunnel/pin.ts"
import {
  invitationLine,
  newSecret,
  readInvitation,
  secretDigest,
  secretMatches,
} from "../../../src/tunnel/invitation.ts"

const invitation = {
  friend: "alice",
  relays: [endpoint("relay.bob.example:7443") as Endpoint, endpoint("[2001:db8::1]:443") as Endpoint] as const,
  relayPin: pin("A".repeat(43)) as Pin,
  secret: newSecret(),
}

test("an invitation survives being one line, also with the spaces of a paste", () => {
  expect(readInvitation(` ${invitationLine(invitation)}\n`)).toEqual(invitation)
})

test.each([
  ["nothing", ""],
  ["another scheme", "https://relay.bob.example/"],
  ["a cut secret", invitationLine(invitation).slice(0, -1)],
  ["a cut key", invitationLine(invitation).replace("#A", "#")],
  ["a second relay that is none", invitationLine(invitation).replace("[2001:db8::1]:443", "nowhere")],
  ["a friend that is no name", invitationLine(invitation).replace("alice", "../etc")],
])("%s is no invitation", (_what, line) => {
  expect(readInvitation(line)).toBeUndefined()
})

test("the relay's copy matches the secret and nothing else, and does not contain it", () => {
  const digest = secretDigest(invitation.secret)
  expect(secretMatches(invitation.secret, digest)).toBe(true)
  expect(secretMatches(newSecret(), digest)).toBe(false)
  expect(secretMatches("", digest)).toBe(false)
  expect(digest).not.toContain(invitation.secret)
})
