/** Real programs in network namespaces: Alice's box and server stand behind her NAT router, Carol and Bob's relay outside. */
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect } from "@jest/globals"
import { eventually } from "../support/eventually.ts"
import { household, nginxText, relayText, type Household, type Started } from "../support/household.ts"
import { keyPair } from "../support/key-pair.ts"
import { publicAddress } from "../support/namespaces.ts"
import { chapter } from "./cast/chapter.ts"
import { RelayOutside, outside } from "./cast/relay-outside.ts"
import type { Story } from "./cast/story.ts"
import { sawWhatThePolicySays } from "./cast/witness.ts"

const { scene, answer } = chapter(
  "27-behind-nat",
  "Behind NAT",
  "Alice's router lets nobody in, and at night it gets another address. Who reaches her server, and whom does it see?",
  outside(),
)

const CAROLS = publicAddress("visitor")
const PAGE = `Alice's page for ${CAROLS}`
const URL_OF_PAGE = "https://alice.example/"
const LAN_ADDRESS = "192.168.7.2"
/** What her provider gives her router at night. */
const NEXT_ADDRESS = "198.51.100.99"

scene("The wrong world: no relay, and Carol calls at Alice's own addresses", async ({ story }) => {
  await using home = await householdWithServer()
  for (const address of [publicAddress("home"), LAN_ADDRESS]) expect(asks(home, address)).toBe("")
  story.found("Carol", "gets no page from Alice's router, nor from the address behind it")
})

scene("Her box has dialled out: Carol gets the page, and Alice's server sees Carol's address", async ({ story }) => {
  await using home = await householdWithServer()
  const relay = await RelayOutside.start(home, relayText(), story)
  await attaches(home, story)
  carolVisits(home, story, "Feed the cat")
  await sawWhatThePolicySays(relay, "alice/https", "Feed the cat")
  await sawWhatThePolicySays(relay, "alice/https", PAGE)
})

scene("Her address changes in the middle, and nobody has to do anything", async ({ story }) => {
  await using home = await householdWithServer()
  const relay = await RelayOutside.start(home, relayText(), story)
  const box = await attaches(home, story)
  carolVisits(home, story, "Feed the cat")
  home.internet.renumberHome(NEXT_ADDRESS)
  story.happens(`Alice's router has another address: ${NEXT_ADDRESS} for ${publicAddress("home")}`)
  await tunnels(box, 2)
  story.says("Alice", "Bob", "a tunnel", "Bob")
  carolVisits(home, story, "Close the window")
  await sawWhatThePolicySays(relay, "alice/https", "Close the window")
})

answer(
  "Everybody who calls at Bob's relay, because the box dials out and no port of the router has to be open. Her server is told each visitor's own address, by the box and not by the visitor, and Bob passes ciphertext. When her address changes the box dials again by itself; her names lead to Bob and stay as they are.",
)

/** Alice's home with her web server, which answers with the address that it is told. */
async function householdWithServer(): Promise<Household> {
  const home = await household()
  home.start("box", "nginx", "-e", "stderr", "-c", await nginxText(home.folder, await keyPair("alice.example")))
  return home
}

/** Her box joins and runs; its file says that her server is told who visits. */
async function attaches(home: Household, story: Story): Promise<Started> {
  await home.join("relay", "--serve", "https=127.0.0.1:443", "--promise", "sealed")
  const written = await readFile(home.boxFile, "utf8")
  await writeFile(home.boxFile, written.replace('https: "127.0.0.1:443"', 'https: { to: "127.0.0.1:443", proxy: v2 }'))
  const box = home.box()
  await tunnels(box, 1)
  story.says("Alice", "Bob", "a tunnel", "Bob")
  return box
}

/** The box has had so many tunnels since it runs. */
async function tunnels(box: Started, count: number): Promise<void> {
  await eventually("the tunnel is up", () => box.said().split("tunnel up").length > count)
}

/** Carol accepts no other key than Alice's. */
function carolVisits(home: Household, story: Story, writes: string): void {
  expect(asks(home, publicAddress("relay"), writes)).toBe(`${PAGE}\n`)
  story.says("Carol", "Alice", `POST ${URL_OF_PAGE}: "${writes}"`, "Alice")
  story.says("Alice", "Carol", `"${PAGE}"`, "Alice")
}

/** Resolves to the page; empty where nobody answers at the address. */
function asks(home: Household, address: string, writes = "Hello"): string {
  const how = ["-s", "-m", "20", "--connect-timeout", "3", "--cacert", join(home.folder, "web-cert.pem")]
  const what = ["--resolve", `alice.example:443:${address}`, "--data", writes, URL_OF_PAGE]
  try {
    return home.internet.run("visitor", "curl", ...how, ...what)
  } catch {
    return "" // curl says by its exit code that nobody answered
  }
}
