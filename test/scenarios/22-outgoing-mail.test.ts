import { expect } from "@jest/globals"
import { X509Certificate } from "node:crypto"
import { Box } from "./cast/box.ts"
import { chapter } from "./cast/chapter.ts"
import { Sender } from "./cast/sender.ts"
import type { World } from "./cast/world.ts"

const { scene, answer } = chapter(
  "22-outgoing-mail",
  "Outgoing mail",
  "Can Alice send mail from her own address through Bob, and can he read it?",
)

const ALICES = "127.0.2.11"
const DAVES = "127.0.2.12"
/** What Carol's server is to the rest of the world. In a story it is at home on loopback, where no public address is. */
const CAROLS = "11.0.3.1"

scene("TLS passes untouched, and Carol's server sees Alice's own address", async (world) => {
  await using set = await stage(world)
  await set.alices.mails("carol.example", "Meet me at noon", "on the right key")
  await set.cameFrom("Meet me at noon", ALICES, "Alice's")
  await world.bob.sawWhatThePolicySays("alice/outgoing-mail", "Meet me at noon")
})

scene("To a server without TLS it goes in the clear, as the policy warns", async (world) => {
  await using set = await stage(world)
  await world.bob.wasWarned("WP105 relay-could-strip-starttls", "alice/outgoing-mail")
  await set.alices.mails("carol.example", "Bring the map", "on no TLS")
  await world.bob.sawWhatThePolicyWarnedOf("alice/outgoing-mail", "Bring the map", "WP105")
})

scene("Bob hides STARTTLS, and a server that insists is not led astray", async (world) => {
  await using set = await stage(world)
  await world.bob.findsOutside(internet(await world.bob.hidesStartTlsOf(set.carols)))
  await set.alices.doesNotMail("carol.example", "The key is under the mat", "on the right key")
  await world.bob.didNotSee("The key is under the mat")
})

scene("Bob hides STARTTLS, and a server that insists on nothing sends in the clear", async (world) => {
  await using set = await stage(world)
  await world.bob.findsOutside(internet(await world.bob.hidesStartTlsOf(set.carols)))
  await set.alices.mails("carol.example", "Burn this letter", "on nothing")
  await world.bob.sawWhatThePolicyWarnedOf("alice/outgoing-mail", "Burn this letter", "WP105")
})

scene("The wrong world: a box that asks for more", async (world) => {
  await using set = await stage(world)
  expect(await set.alices.asksFor("carol.example:80")).toBe("403 OUTGOING_PORT")
  expect(await set.alices.asksFor("127.0.0.1:25")).toBe("403 OUTGOING_PLACE")
  expect(await set.alices.asksFor("192.168.1.1:25")).toBe("403 OUTGOING_PLACE")
  expect(await set.alices.asksFor("router.bob.example:25")).toBe("403 OUTGOING_PLACE")
  expect(await set.alices.asksFor(`${DAVES}:25`)).toBe("403 OUTGOING_PLACE")
})

scene("Each friend has one address, and nobody has another's", async (world) => {
  await using set = await stage(world)
  await world.bob.carries(world.dave, { smtp: "dedicated", ownAddress: DAVES, outgoingMail: true })
  await using daves = await world.bob.letsIn(world.dave)
  const { directory, story } = world
  await new Sender({ person: "Dave", box: daves, directory, story }).mails("carol.example", "From Dave", "on nothing")
  await set.alices.mails("carol.example", "From Alice", "on nothing")
  await set.cameFrom("From Dave", DAVES, "Dave's")
  await set.cameFrom("From Alice", ALICES, "Alice's")
})

scene("A friend whom Bob's file does not name sends nothing", async (world) => {
  await using _ = await stage(world)
  await world.bob.carries(world.dave, { smtp: "dedicated", ownAddress: DAVES })
  await using daves = await world.bob.letsIn(world.dave)
  const { directory, story } = world
  const dave = new Sender({ person: "Dave", box: daves, directory, story })
  expect(await dave.asksFor("carol.example:25")).toBe("403 OUTGOING_OFF")
})

answer(
  "Yes: Carol's server sees the address that is Alice's alone, and TLS ends there, so Bob passes ciphertext. He could hide STARTTLS: a server of Alice's that insists on it where Carol publishes DANE or MTA-STS is not led astray. Her box reaches port 25 of others' public addresses and nothing else. And what Bob sends from that address himself passes for Alice's wherever SPF alone is asked (WP110).",
)

/** Carol's server, Bob's relay that carries for Alice and lets her send, and her box with a mail server behind it. */
async function stage({ bob, alice, directory, story }: World) {
  await using undo = new AsyncDisposableStack()
  const carols = undo.use(await Box.open("Carol", "127.0.3.2", story))
  directory.isKeyOf("Carol", new X509Certificate(carols.own.cert).fingerprint256, carols.own.cert)
  await bob.findsOutside(internet({ address: carols.address, port: carols.portOf("smtp") }))
  await bob.carries(alice, { smtp: "dedicated", ownAddress: ALICES, outgoingMail: true })
  const box = undo.use(await bob.letsIn(alice))
  const kept = undo.move()
  return {
    carols,
    alices: new Sender({ person: "Alice", box, directory, story }),
    /** `what` has come to Carol's server from that address. */
    cameFrom: async (what: string, address: string, whose: string) => {
      expect(await carols.cameFrom(what)).toBe(address)
      story.found("Carol", `has "${what}" from ${address}, ${whose} own at Bob's`)
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

function internet(carols: { readonly address: string; readonly port: number }) {
  const names = { "carol.example": [CAROLS], "router.bob.example": ["192.168.1.1"], "relay.bob.example": ["11.0.0.1"] }
  return { names, hosts: { [CAROLS]: carols } }
}
