/** The kernel path with a real kernel: visitors of Alice's own address are led to her server by nftables, and nothing else changes. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { existsSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { household, type Household, type Started } from "../support/household.ts"
import { missing } from "../support/installed.ts"
import { publicAddress, whyNoNamespaces } from "../support/namespaces.ts"
import { eventually } from "../support/eventually.ts"

const why = whyNoNamespaces() ?? missing("curl", "nginx")
if (why !== undefined) process.stderr.write(`SKIPPED: ${why}\n`)

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
/** Alice's own addresses at Bob's relay. */
const OWN4 = "198.51.100.107"
const OWN6 = "fd00:51::107"
const OWN = [OWN4, `[${OWN6}]`]
/** Her servers stand on the host called relay2; each says who it is. */
const SERVER4 = publicAddress("relay2")
const SERVER6 = "fd00:51::11"
const RELAY6 = "fd00:51::10"
const PAGE_BYTES = 1_000_000

;(why === undefined ? describe : describe.skip)(`engine: kernel${why ? ` (SKIPPED: ${why})` : ""}`, () => {
  let home: Household
  let file: string

  beforeEach(async () => {
    home = await household()
    file = join(home.folder, "relay.yaml")
    const addresses = [
      ["relay", `${OWN4}/24`],
      ["relay", `${OWN6}/64`],
      ["relay", `${RELAY6}/64`],
      ["relay2", `${SERVER6}/64`],
      ["visitor", "fd00:51::30/64"],
    ] as const
    for (const [host, address] of addresses)
      home.internet.run(
        host,
        "ip",
        "address",
        "add",
        address,
        "dev",
        "eth0",
        ...(address.includes(":") ? ["nodad"] : []),
      )
    home.internet.run("relay", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    home.internet.run(
      "relay",
      "nft",
      "add table ip others; add chain ip others mine { type filter hook input priority 5; }",
    )
    await writeFile(join(home.folder, "page"), Buffer.alloc(PAGE_BYTES, "Meet me at noon. "))
    const web = home.start("relay2", "nginx", "-e", "stderr", "-c", await nginxFile(home.folder))
    await eventually("her server answers", () => answers("relay2", `http://127.0.0.1:8080/who`) || ended(web))
  }, 60_000)

  afterEach(async () => home[Symbol.asyncDispose]())

  const visitor = (...words: readonly string[]): string =>
    home.internet.run("visitor", "curl", "-sS", "-m", "20", ...words)
  const tables = (): string => home.internet.run("relay", "nft", "list", "tables")
  const others = (): string => home.internet.run("relay", "nft", "list", "table", "ip", "others")

  function answers(host: "relay2" | "visitor", url: string): boolean {
    try {
      return home.internet.run(host, "curl", "-s", "-m", "2", url).length > 0
    } catch {
      return false
    }
  }

  /** As Bob writes it; `port`: which of Alice's servers. */
  async function configure(port = 8080, engine = "kernel"): Promise<void> {
    await writeFile(
      file,
      `relay: { name: relay.bob.example, state: ./state, admin: "127.0.0.1:7080" }
listeners:
  web: { bind: ["${OWN4}:80", "[${OWN6}]:80"], protocol: tcp }
friends:
  alice:
    addresses: ["${OWN4}", "${OWN6}"]
    routes:
      web: { mode: dedicated, engine: ${engine}, to: ["${SERVER4}:${port}", "[${SERVER6}]:${port}"] }
`,
    )
  }

  async function started(...before: readonly string[]): Promise<Started> {
    const [program, ...args] = [...before, process.execPath, MAIN, "relay", "-c", file]
    const relay = home.start("relay", program ?? process.execPath, ...args)
    await eventually("the relay has started", () => relay.said().includes('"started"') || ended(relay))
    return relay
  }

  type Counter = { readonly name: string; readonly packets: number; readonly bytes: number }

  function counters(): ReadonlyMap<string, Counter> {
    const [, table = ""] = /table inet (waypost_[0-9a-f]+)/.exec(tables()) ?? []
    const said = home.internet.run("relay", "nft", "-j", "list", "counters", "table", "inet", table)
    const { nftables } = JSON.parse(said) as { nftables: { counter?: Counter }[] }
    return new Map(nftables.flatMap(({ counter }) => (counter ? [[counter.name, counter]] : [])))
  }

  function metric(line: string): number {
    const text = home.internet.run("relay", "curl", "-s", "http://127.0.0.1:7080/metrics")
    return Number(
      text
        .split("\n")
        .find((each) => each.startsWith(`${line} `))
        ?.slice(line.length + 1),
    )
  }

  test("leads IPv4 and IPv6 to her server, counts what passes, and takes everything back when it stops", async () => {
    const before = others()
    const page = await readFile(join(home.folder, "page"), "utf8")
    await configure()
    const relay = await started()
    for (const own of OWN) {
      expect(visitor(`http://${own}/page`) === page).toBe(true)
      // As on the ordinary path without PROXY, her server sees the relay.
      expect([publicAddress("relay"), OWN4, RELAY6, OWN6]).toContain(visitor(`http://${own}/who`).trim())
    }
    expect(metric('waypost_kernel_connections_total{friend="alice",listener="web"}')).toBe(4)
    const toVisitor = 'waypost_kernel_bytes_total{friend="alice",listener="web",to="visitor"}'
    const toBackend = 'waypost_kernel_bytes_total{friend="alice",listener="web",to="backend"}'
    expect(metric(toVisitor)).toBe(counters().get("route.alice.web.to-visitor")?.bytes)
    expect(metric(toBackend)).toBe(counters().get("route.alice.web.to-backend")?.bytes)
    expect(metric(toVisitor)).toBeGreaterThan(2 * PAGE_BYTES)
    expect(metric('waypost_friend_bytes_total{friend="alice",to="visitor"}')).toBe(0) // none of it came into the relay
    await relay.stop()
    expect(tables()).not.toContain("waypost")
    expect(others()).toBe(before)
    expect(existsSync(join(home.folder, "state", "kernel-path"))).toBe(false)
    expect(answers("visitor", `http://${OWN4}/who`)).toBe(false)
  }, 120_000)

  test("a reload changes where it leads in one step, and a download goes on", async () => {
    await configure()
    const relay = await started()
    const slow = home.internet.spawn("visitor", "curl", "-sS", "--limit-rate", "300k", `http://${OWN4}/page`)
    let heard = 0
    slow.stdout?.on("data", (piece: Buffer) => (heard += piece.length))
    const gone = new Promise((resolve) => slow.once("close", resolve))
    await eventually("the download has begun", () => heard > 0)
    await configure(8081)
    await eventually("new visitors reach the other server", () => visitor(`http://${OWN4}/name`) === "8081\n")
    expect(await gone).toBe(0)
    expect(heard).toBe(PAGE_BYTES)
    expect(counters().get("route.alice.web.connections")?.packets).toBeGreaterThan(1) // they go on from where they were
    await configure(8081, "relay")
    await eventually("the relay carries", () => {
      visitor(`http://${OWN4}/name`)
      return metric('waypost_friend_bytes_total{friend="alice",to="visitor"}') > 0
    })
    await relay.stop()
    expect(tables()).not.toContain("waypost")
  }, 120_000)

  test("what a killed relay leaves behind is seen by the doctor, and removed by the next start", async () => {
    await configure()
    const killed = await started()
    await killed.stop("SIGKILL")
    expect(tables()).toContain("waypost")
    expect(visitor(`http://${OWN4}/name`)).toBe("8080\n") // the kernel needs nobody
    const doctor = () =>
      home.internet.run("relay", "sh", "-c", `"${process.execPath}" "${MAIN}" doctor -c "${file}" || :`)
    expect(doctor().replaceAll(/\s+/g, " ")).toMatch(
      /kernel path table inet \S+ was left behind by a relay that was killed/,
    )
    await configure(8081, "relay")
    const relay = await started()
    expect(tables()).not.toContain("waypost")
    expect(visitor(`http://${OWN4}/name`)).toBe("8081\n")
    await relay.stop()
  }, 120_000)

  test("a new process takes the table over, and a download goes on; one that does not start changes nothing", async () => {
    await configure()
    const relay = await started()
    await writeFile(file, "relay: {}")
    relay.child.kill("SIGUSR2")
    await eventually("the new process has failed", () => relay.said().includes('"not replaced"'))
    expect(visitor(`http://${OWN4}/name`)).toBe("8080\n")

    const slow = home.internet.spawn("visitor", "curl", "-sS", "--limit-rate", "150k", `http://${OWN4}/page`)
    let heard = 0
    slow.stdout?.on("data", (piece: Buffer) => (heard += piece.length))
    const gone = new Promise((resolve) => slow.once("close", resolve))
    await eventually("the download has begun", () => heard > 0)
    await configure(8081)
    relay.child.kill("SIGUSR2")
    const next = await eventually("another process has its place", () => successor(relay))
    expect(visitor(`http://${OWN4}/name`)).toBe("8081\n")
    await eventually("the old one has ended", () => ended(relay))
    expect(await gone).toBe(0)
    expect(heard).toBe(PAGE_BYTES)
    expect(visitor(`http://${OWN4}/name`)).toBe("8081\n") // it left the table alone
    expect(counters().get("route.alice.web.connections")?.packets).toBe(4) // they go on from where they were
    process.kill(next, "SIGTERM")
    await eventually("the table is gone with the new one", () => !tables().includes("waypost"))
  }, 120_000)

  test("without CAP_NET_ADMIN, or where nothing is forwarded, the relay says so and carries itself", async () => {
    await configure()
    const bare = await started("setpriv", "--bounding-set=-net_admin")
    expect(bare.said()).toMatch(/NO_KERNEL_PATH.*the relay has no CAP_NET_ADMIN; give the relay that capability/)
    expect(visitor(`http://${OWN4}/name`)).toBe("8080\n")
    expect(tables()).not.toContain("waypost")
    await bare.stop()
    home.internet.run("relay", "sysctl", "-qw", "net.ipv6.conf.all.forwarding=0")
    const unforwarded = await started()
    expect(unforwarded.said()).toMatch(
      /net\.ipv6\.conf\.all\.forwarding is 0; sysctl -w net\.ipv6\.conf\.all\.forwarding=1/,
    )
    for (const own of OWN) expect(visitor(`http://${own}/name`)).toBe("8080\n")
    await unforwarded.stop()
  }, 120_000)
})

/** The process that has its place. */
function successor(relay: Started): number | undefined {
  const [, pid] = /"pid":(\d+),"msg":"replaced"/.exec(relay.said()) ?? []
  return pid === undefined ? undefined : Number(pid)
}

function ended({ child }: Started): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** Two servers, told apart by their ports. */
async function nginxFile(folder: string): Promise<string> {
  const server = (port: number): string => `
  server {
    listen ${port}; listen [::]:${port};
    root ${folder};
    location = /page { }
    location = /who { return 200 "$remote_addr\\n"; }
    location = /name { return 200 "${port}\\n"; }
  }`
  const file = join(folder, "kernel-nginx.conf")
  await writeFile(
    file,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
events {}
http { access_log off;${server(8080)}${server(8081)} }
`,
  )
  return file
}
