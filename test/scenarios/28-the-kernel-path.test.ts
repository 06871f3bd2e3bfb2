/** Real programs in network namespaces: Bob's kernel leads Carol to Alice's server, which stands on the host called relay2. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect } from "@jest/globals"
import { eventually } from "../support/eventually.ts"
import { household, type Household } from "../support/household.ts"
import { publicAddress } from "../support/namespaces.ts"
import { chapter } from "./cast/chapter.ts"
import { RelayOutside, outside } from "./cast/relay-outside.ts"
import type { Story } from "./cast/story.ts"
import { compare, sawWhatThePolicyWarnedOf } from "./cast/witness.ts"

const { scene, answer } = chapter(
  "28-the-kernel-path",
  "The kernel path",
  "Bob's kernel leads Alice's visitors, and no byte of them enters his relay. Can he read less?",
  outside(),
)

/** Alice's own address at Bob's. */
const OWN = "198.51.100.107"
const ROUTE = "alice/web"
const PAGE = "The cat is in the garden"

scene("Bob's relay carries itself: he holds what Carol left in the clear", async ({ story }) => {
  await using home = await householdWithServer()
  const relay = await RelayOutside.start(home, configuration("relay"), story)
  carolVisits(home, story, "Feed the cat")
  await sawWhatThePolicyWarnedOf(relay, { route: ROUTE, what: "Feed the cat" }, "WP106")
  await sawWhatThePolicyWarnedOf(relay, { route: ROUTE, what: PAGE }, "WP106")
  expect(tables(home)).toBe("")
})

scene("His kernel carries: the recorder holds no byte at all, and the verdict is the same", async ({ story }) => {
  await using home = await householdWithServer()
  const relay = await RelayOutside.start(home, configuration("kernel"), story)
  carolVisits(home, story, "Feed the cat")
  expect(await relay.recordedBytes()).toBe(0)
  story.found("Bob", "has a record without one byte in it")
  const verdict = relay.verdict(ROUTE)
  for (const what of ["Feed the cat", PAGE]) {
    expect(await relay.remembers(what)).not.toBe("has it")
    compare(relay, { what, route: ROUTE, verdict }, { recorder: "no", memory: "no" })
  }
  expect(verdict.findings.read.level).toBe("by-attack") // the kernel is his too
  expect(verdict.warnings).toContain("WP106")
})

scene("When his relay stops, its table is gone, and nobody is led to Alice any more", async ({ story }) => {
  await using home = await householdWithServer()
  const relay = await RelayOutside.start(home, configuration("kernel"), story)
  expect(tables(home)).toMatch(/^table inet waypost_[0-9a-f]+$/)
  story.found("Bob", "has one table of his relay's in nftables")
  carolVisits(home, story, "Feed the cat")
  await relay.stops()
  story.happens("Bob stops his relay")
  expect(tables(home)).toBe("")
  story.found("Bob", "has no table left")
  expect(asks(home, "visitor", `http://${OWN}/`)).toBe("")
  story.found("Carol", "gets no page")
})

answer(
  "No, though his relay holds nothing: the kernel is his as well, and one command shows him what passes it. So the verdict is that of a relay that carries the route itself. The kernel path spares work and changes nothing about trust; TLS that ends at Alice's does.",
)

function configuration(engine: "relay" | "kernel"): string {
  return `
relay: { name: relay.bob.example, state: ./state }
listeners:
  web: { bind: ["${OWN}:80"], protocol: tcp }
friends:
  alice:
    addresses: ["${OWN}"]
    routes:
      web: { mode: dedicated, engine: ${engine}, to: "${publicAddress("relay2")}:80" }
`
}

async function householdWithServer(): Promise<Household> {
  const home = await household()
  home.internet.run("relay", "ip", "address", "add", `${OWN}/24`, "dev", "eth0")
  home.internet.run("relay", "sysctl", "-qw", "net.ipv4.ip_forward=1")
  home.start("relay2", "nginx", "-e", "stderr", "-c", await nginxFile(home.folder))
  await eventually("her server answers", () => asks(home, "relay2", "http://127.0.0.1/") !== "")
  return home
}

/** In the clear, as whoever knows no better. */
function carolVisits(home: Household, story: Story, writes: string): void {
  expect(asks(home, "visitor", `http://${OWN}/`, writes)).toBe(`${PAGE}\n`)
  story.says("Carol", "Alice", `POST http://alice.example/: "${writes}"`)
  story.says("Alice", "Carol", `"${PAGE}"`)
}

/** Resolves to the page; empty where nobody answers. */
function asks(home: Household, host: "visitor" | "relay2", url: string, writes = "Hello"): string {
  try {
    return home.internet.run(host, "curl", "-s", "-m", "20", "--connect-timeout", "3", "--data", writes, url)
  } catch {
    return "" // curl says by its exit code that nobody answered
  }
}

/** The tables in the kernel of Bob's host. */
function tables(home: Household): string {
  return home.internet.run("relay", "nft", "list", "tables").trim()
}

async function nginxFile(folder: string): Promise<string> {
  const file = join(folder, "nginx.conf")
  await writeFile(
    file,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
events {}
http { access_log off; server { listen 80; location / { return 200 "${PAGE}\\n"; } } }
`,
  )
  return file
}
