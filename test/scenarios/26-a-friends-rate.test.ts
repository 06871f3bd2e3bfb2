/** Everything here is told by bytes against bytes of the same moment, so that a busy machine changes nothing. */
import { createHash, randomBytes } from "node:crypto"
import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"
import type { Download } from "./cast/download.ts"
import type { World } from "./cast/world.ts"

const { scene, answer } = chapter(
  "26-a-friends-rate",
  "A friend's rate",
  "Half the world wants Dave's film. What is left of Bob's line for Alice?",
)

const MIB = 1024 * 1024
/** Longer than any scene: nobody sees the end of it. */
const FILM = Buffer.alloc(64 * MIB, "Once upon a time there was a film. ")
const ALBUM = randomBytes(2 * MIB)
const KEY = "The key is under the mat"

scene("The wrong world: no rate, and Dave's visitors take the line", async (world) => {
  const { bob, dave } = world
  await bob.carries(dave, { https: "dedicated" })
  using film = await fourWatch(world)
  const passedBytes = await whileAliceShowsHerAlbum(world, film)
  expect(passedBytes).toBeGreaterThan(ALBUM.length)
  world.story.found("Bob", "passed more of Dave's film than of Alice's album meanwhile")
})

scene("A rate for Dave: his visitors wait, and Alice's do not", async (world) => {
  const { bob, dave } = world
  await bob.carries(dave, { https: "dedicated", rate: "50kB/s" })
  using film = await fourWatch(world)
  const passedBytes = await whileAliceShowsHerAlbum(world, film)
  expect(passedBytes).toBeLessThan(ALBUM.length)
  world.story.found("Bob", "passed less of Dave's film than of Alice's album meanwhile")
  expect(film.isCut()).toBe(false)
  world.story.found("Carol", "is still connected to Dave, four times")
})

scene("Bob reads no more of what he holds back", async ({ bob, carol, dave }) => {
  dave.shows(KEY)
  await bob.carries(dave, { https: "dedicated", rate: "50kB/s" })
  carol.reads(KEY, await carol.visits("https://dave.example/note", { writes: "Meet me at noon" }))
  await bob.sawWhatThePolicySays("dave/https", KEY)
})

scene("What was held back comes whole as soon as Bob lifts the rate", async ({ bob, carol, dave, story }) => {
  dave.offers("/album", ALBUM)
  await bob.carries(dave, { https: "dedicated", rate: "50kB/s" })
  using held = await carol.downloads("https://dave.example/album")
  expect(held.heardBytes).toBeLessThan(ALBUM.length)
  story.found("Carol", "has not all of it, and waits")
  await bob.carries(dave, { https: "dedicated" })
  story.happens("Bob takes the rate out of his file")
  expect(await held.digest()).toBe(digest(ALBUM))
  story.found("Carol", "has all of it, every byte right, by the connection that was held back")
})

scene("What Bob ends himself is not held to it", async (world) => {
  const { bob, carol, dave, story } = world
  await bob.carries(dave, { https: "dedicated", http: "peer", rate: "50kB/s" })
  using film = await fourWatch(world)
  dave.offers("/album", ALBUM)
  const beforeBytes = film.heardBytes()
  using album = await carol.downloads("http://dave.example/album")
  expect(await album.digest()).toBe(digest(ALBUM))
  expect(film.heardBytes() - beforeBytes).toBeLessThan(ALBUM.length)
  story.found("Carol", "has all of it, past those who wait for the film")
})

answer(
  "All that Bob's file leaves to her. A rate holds all dedicated connections of one friend together: who sends faster is made to wait, nothing is dropped and nobody is cut off, and friends without a rate notice nothing of it. Without one Dave's visitors take whatever they can. What Bob ends himself, peer mail and peer web, is not held to it; limits of their own are for that.",
)

/** Four visitors fetch Dave's film, and have begun. */
async function fourWatch({ carol, dave }: World) {
  dave.offers("/film", FILM)
  using undo = new DisposableStack()
  const all: Download[] = []
  while (all.length < 4) all.push(undo.use(await carol.downloads("https://dave.example/film")))
  const kept = undo.move()
  return {
    heardBytes: () => all.reduce((sum, { heardBytes }) => sum + heardBytes, 0),
    isCut: () => all.some(({ isOver }) => isOver),
    [Symbol.dispose]: () => kept.dispose(),
  }
}

/** Resolves to what was passed of the film from when somebody asked for the album until he had all of it. */
async function whileAliceShowsHerAlbum({ alice, bob, carol, story }: World, film: { heardBytes(): number }) {
  alice.offers("/album", ALBUM)
  await bob.carries(alice, { https: "dedicated" })
  const beforeBytes = film.heardBytes()
  using album = await carol.downloads("https://alice.example/album")
  expect(await album.digest()).toBe(digest(ALBUM))
  story.found("Carol", "has all of Alice's album, every byte right")
  return film.heardBytes() - beforeBytes
}

function digest(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex")
}
