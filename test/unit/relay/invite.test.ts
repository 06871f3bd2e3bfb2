import { afterEach, beforeEach, expect, test } from "@jest/globals"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { systemClock } from "../../../src/clock/clock.ts"
import { readConfig } from "../../../src/config/read-config.ts"
import { inviteFriend } from "../../../src/relay/invite.ts"
import { boxesIn } from "../../../src/store/boxes.ts"
import { readInvitation, secretDigest } from "../../../src/tunnel/invitation.ts"

let folder = ""
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "waypost-invite-"))
})
afterEach(() => rm(folder, { recursive: true }))

function config(door = true) {
  const text = `
relay: { name: relay.bob.example, state: ./state }
listeners:
  web: { bind: "0.0.0.0:80", protocol: http }
${door ? '  https: { bind: "0.0.0.0:443", protocol: tls }' : ""}
${door ? '  tunnel: { bind: ["0.0.0.0:7443", "[::]:7443", "192.0.2.1:8443"], protocol: tunnel }' : ""}
friends:
  alice:
    domains: [alice.example]
    routes: { web: { mode: peer, to: "127.0.0.1:1" } }
`
  const read = readConfig(text, join(folder, "relay.yaml"))
  if (read.kind === "faults") throw new Error(JSON.stringify(read.faults))
  return read.config
}

test("the line names the relay, its addresses and its key, and its secret opens the door once", async () => {
  const invited = await inviteFriend(config(), "alice", false, systemClock)
  const read = invited.kind === "invited" ? readInvitation(invited.line) : undefined
  expect(read?.relays).toEqual([
    { host: "relay.bob.example", port: 7443 },
    { host: "192.0.2.1", port: 8443 },
    { host: "relay.bob.example", port: 443 },
  ])
  const boxes = boxesIn(join(folder, "state"))
  expect(await boxes.redeem(secretDigest(read?.secret ?? ""), "key", systemClock.now())).toBe("alice")
})

test("two invitations of one relay show the same key", async () => {
  const [one, two] = await Promise.all([1, 2].map(() => inviteFriend(config(), "alice", false, systemClock)))
  const pinIn = (invited: typeof one) =>
    invited?.kind === "invited" ? readInvitation(invited.line)?.relayPin : undefined
  expect(pinIn(one)).toBeDefined()
  expect(pinIn(one)).toBe(pinIn(two))
})

test("nobody is invited whom the file does not know, nor to a relay without a door", async () => {
  expect(await inviteFriend(config(), "mallory", false, systemClock)).toEqual({
    kind: "refused",
    why: "no-such-friend",
  })
  expect(await inviteFriend(config(false), "alice", false, systemClock)).toEqual({
    kind: "refused",
    why: "no-tunnel-listener",
  })
})
