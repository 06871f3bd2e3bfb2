import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "02-dedicated-by-address",
  "Dedicated, by address",
  "Can Bob read what arrives at the address that he gave to Alice alone?",
)

scene("Mail: STARTTLS passes untouched, and the key is Alice's", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { smtp: "dedicated", ownAddress: "127.0.2.11" })
  await carol.mails("alice@alice.example", "Meet me at noon", "on the right key")
  await alice.received("Meet me at noon")
  await bob.sawWhatThePolicySays("alice/smtp", "Meet me at noon")
})

scene("Web, on an IPv6 address of her own", async ({ alice, bob, carol }) => {
  alice.shows("The key is under the mat")
  await bob.carries(alice, { https: "dedicated", ownAddress: "::1", promise: "sealed" })
  const answered = await carol.visits("https://alice.example/note", { writes: "Bring the map" })
  carol.reads("The key is under the mat", answered)
  await alice.received("Bring the map")
  await bob.sawWhatThePolicySays("alice/https", "Bring the map")
  await bob.sawWhatThePolicySays("alice/https", "The key is under the mat")
})

scene("Mail from a sender without TLS is readable on the whole way", async ({ alice, bob, carol, eve }) => {
  await bob.carries(alice, { smtp: "dedicated", ownAddress: "127.0.2.11" })
  await bob.wasWarned("WP105 relay-could-strip-starttls", "alice/smtp")
  await eve.listensTo("smtp", "alice.example")
  await carol.mails("alice@alice.example", "Meet me at noon", "on no TLS")
  await alice.received("Meet me at noon")
  eve.saw("Meet me at noon")
  await bob.sawWhatThePolicyWarnedOf("alice/smtp", "Meet me at noon", "WP105")
})

scene("Plain web on her own address", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { http: "dedicated", ownAddress: "127.0.2.11" })
  await carol.visits("http://alice.example/note", { writes: "Bring the map" })
  await alice.received("Bring the map")
  await bob.sawWhatThePolicySays("alice/http", "Bring the map")
})

scene("Any protocol, on a port of her own", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { tcp: "dedicated" })
  await bob.wasWarned("WP106 nothing-is-known-of-the-protocol", "alice/tcp")
  await carol.speaksTo("alice.example", "Meet me at noon")
  await alice.received("Meet me at noon")
  await bob.sawWhatThePolicyWarnedOf("alice/tcp", "Meet me at noon", "WP106")
})

answer(
  "Not what is sealed for Alice: TLS and STARTTLS end at her box, and Bob passes ciphertext. What a sender leaves in the clear he passes in the clear, and the policy says so.",
)
