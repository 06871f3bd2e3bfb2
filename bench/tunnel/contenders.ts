/**
 * What is compared: Waypost without a tunnel, two such relays in a row, with carriers, with streams; OpenSSH -R; PageKite's
 * stock front end.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { userInfo } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { boxIdentity } from "../../src/box/box.ts"
import { joinRelay, readInvitation, relayOf, withRelay } from "../../src/box/join.ts"
import { systemClock } from "../../src/clock/clock.ts"
import type { BoxService } from "../../src/config/box-config.ts"
import { configFaultText, readConfig } from "../../src/config/read-config.ts"
import { endpoint } from "../../src/names/endpoint.ts"
import { inviteFriend } from "../../src/relay/invite.ts"
import { judgePath } from "../../test/support/installed.ts"
import { serverName, SERVICES } from "../dataplane/rivals.ts"

/** What PageKite tells its kites by, and anybody else may ignore. */
export const WEB_NAME = "web.bench.example"

export type ContenderName = "plain" | "row" | "carriers" | "streams" | "ssh" | "pagekite"

/** One that runs: a visitor of the service with this index goes to this port. */
export type Contender = {
  readonly name: ContenderName
  readonly portFor: (service: number) => number
  /** Where the web server at home is visited, over streams; `undefined` where it is not. */
  readonly webPort: number | undefined
  readonly relay: ChildProcess
  /** The program at home; `undefined` where there is none. */
  readonly home: ChildProcess | undefined
}

/** Where everything of one run is. */
export type Place = {
  readonly folder: string
  readonly servicesPort: number
  /** Of the web server. */
  readonly webPort: number
  /** The first of ports that nobody else has: each contender has `PORTS_EACH`. */
  readonly firstPort: number
  readonly started: ChildProcess[]
}

const PORTS_OF_ONE_RELAY = 10
export const PORTS_EACH = 2 * PORTS_OF_ONE_RELAY

const START_PATIENCE_MS = 30_000
/** From the start of a box to its first carriers. */
const ATTACHES_MS = 4_000
/** PageKite looks for a front end at its own pace. */
const PAGEKITE_ATTACHES_MS = 14_000

export async function start(name: ContenderName, place: Place): Promise<Contender> {
  switch (name) {
    case "plain":
    case "carriers":
    case "streams":
      return waypost(name, place)
    case "row":
      return inARow(place)
    case "ssh":
      return openSsh(place)
    case "pagekite":
      return pageKite(place)
  }
}

type Waypost = "plain" | "carriers" | "streams"

async function waypost(name: Waypost, place: Place): Promise<Contender> {
  const { folder, firstPort } = place
  const file = join(folder, `${name}.yaml`)
  const text = configuration(name, place)
  writeFileSync(file, text)
  const relay = run(place, [process.execPath, join(import.meta.dirname, "../dataplane/relay.ts"), "native", "1", file])
  await accepts(firstPort, relay)
  const portFor = (service: number) => firstPort + 1 + service
  const webPort = firstPort + 1 + SERVICES.length
  if (name === "plain") return { name, portFor, webPort: undefined, relay, home: undefined }
  const boxFile = await joined(name, text, file, place)
  const home = run(place, [process.execPath, join(import.meta.dirname, "box.ts"), boxFile])
  await delay(ATTACHES_MS)
  return { name, portFor, webPort, relay, home }
}

/** Visitors pass two processes that move bytes and nothing else: what a tunnel could reach at best on the same cores. */
async function inARow(place: Place): Promise<Contender> {
  const [front, back] = (["front", "back"] as const).map((side) => join(place.folder, side)) as [string, string]
  for (const folder of [front, back]) mkdirSync(folder)
  const home = await waypost("plain", { ...place, folder: back, firstPort: place.firstPort + PORTS_OF_ONE_RELAY })
  const relay = await waypost("plain", { ...place, folder: front, servicesPort: home.portFor(0) })
  return { ...relay, name: "row", home: home.relay }
}

/** A listener for each service, so that the visitors' port says which one they want. */
function configuration(name: Waypost, { firstPort, servicesPort }: Place): string {
  const listeners = SERVICES.map(
    (service, index) => `  t-${service}: { bind: ["127.0.0.1:${firstPort + 1 + index}"], protocol: tls }`,
  )
  const routes = SERVICES.map((service, index) => {
    const to = name === "plain" ? `"127.0.0.1:${servicesPort + index}"` : "box"
    return `      t-${service}: { mode: dedicated, to: ${to} }`
  })
  return `
relay: { name: relay.bench.example, state: ./state-${name} }
listeners:
${listeners.join("\n")}
  web: { bind: ["127.0.0.1:${firstPort + 1 + SERVICES.length}"], protocol: tcp, friend: home }
  tunnel: { bind: ["127.0.0.1:${firstPort}"], protocol: tunnel }
limits: { connections-max: 20000, connections-per-source-max: 20000, connections-per-friend-max: 20000, idle-deadline: 1h }
friends:
  home:
    domains: [${SERVICES.map(serverName).join(", ")}]
    routes:
${routes.join("\n")}
      web: { mode: dedicated, to: ${name === "plain" ? '"127.0.0.1:1"' : "box"} }
`
}

/** Does what `waypost invite` and `waypost join` do, and returns the box's file. */
async function joined(
  name: Waypost,
  text: string,
  file: string,
  { folder, servicesPort, webPort }: Place,
): Promise<string> {
  const read = readConfig(text, file)
  if (read.kind === "faults") throw new Error(read.faults.map(configFaultText).join("\n"))
  const invited = await inviteFriend(read.config, "home", false, systemClock)
  const invitation = invited.kind === "invited" ? readInvitation(invited.line) : undefined
  if (!invitation) throw new Error(`nobody is invited: ${JSON.stringify(invited)}`)
  const home = join(folder, `home-${name}`)
  mkdirSync(home)
  const identity = await boxIdentity(join(home, "box-state"), systemClock)
  const shows = await joinRelay({ invitation, identity, promise: "none", clock: systemClock })
  const services = new Map(SERVICES.map((service, index) => [`t-${service}`, serviceAt(servicesPort + index)]))
  services.set("web", serviceAt(webPort))
  const relay = { ...relayOf(invitation, shows), carriers: name === "carriers" }
  const boxFile = join(home, "box.yaml")
  writeFileSync(boxFile, withRelay(undefined, relay, { promise: "none", services }))
  return boxFile
}

function serviceAt(port: number): BoxService {
  const to = endpoint(`127.0.0.1:${port}`)
  if (!to) throw new Error(`${port} is a port`)
  return { to, proxy: "none", probe: false } // the load does not speak TLS, it only begins like it
}

/** `ssh -R`, one forwarding for each service; sshd takes no other door than this key. */
async function openSsh(place: Place): Promise<Contender> {
  const { folder, firstPort, servicesPort } = place
  const at = (name: string) => join(folder, name)
  for (const key of ["host-key", "user-key"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(key)])
  mkdirSync("/run/sshd", { recursive: true })
  writeFileSync(
    at("sshd_config"),
    `ListenAddress 127.0.0.1:${firstPort}\nHostKey ${at("host-key")}\nAuthorizedKeysFile ${at("user-key.pub")}
StrictModes no\nUsePAM no\nPidFile none\nMaxSessions 100\n`,
  )
  const relay = run(place, [judgePath("sshd"), "-D", "-f", at("sshd_config")])
  await accepts(firstPort, relay)
  const portFor = (service: number) => firstPort + 1 + service
  const forwards = SERVICES.flatMap((_, index) => [
    "-R",
    `127.0.0.1:${portFor(index)}:127.0.0.1:${servicesPort + index}`,
  ])
  const options = ["BatchMode=yes", "StrictHostKeyChecking=no", `UserKnownHostsFile=${at("known")}`, "LogLevel=ERROR"]
  const quiet = options.flatMap((option) => ["-o", option])
  const to = ["-p", String(firstPort), "-i", at("user-key"), `${userInfo().username}@127.0.0.1`]
  const home = run(place, [judgePath("ssh"), "-N", ...quiet, ...forwards, ...to])
  await accepts(portFor(0), home)
  return { name: "ssh", portFor, webPort: undefined, relay, home }
}

/** The front end as Debian has it, with its own back end. */
async function pageKite({ firstPort, webPort, ...place }: Place): Promise<Contender> {
  const own = ["--clean", "--nullui", "--noproxy"]
  const door = [
    "--isfrontend",
    "--host=127.0.0.1",
    `--ports=${firstPort}`,
    "--protos=http",
    `--domain=http:${WEB_NAME}:secret`,
  ]
  const relay = run(place, [judgePath("pagekite"), ...own, ...door])
  await accepts(firstPort, relay)
  const kite = [`--frontend=127.0.0.1:${firstPort}`, `--backend=http:${WEB_NAME}:127.0.0.1:${webPort}:secret`]
  const home = run(place, [judgePath("pagekite"), ...own, ...kite])
  await delay(PAGEKITE_ATTACHES_MS)
  return { name: "pagekite", portFor: () => firstPort, webPort: firstPort, relay, home }
}

function run({ started }: Pick<Place, "started">, [command, ...args]: readonly [string, ...string[]]): ChildProcess {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] })
  started.push(child)
  return child
}

async function accepts(port: number, child: ChildProcess): Promise<void> {
  const until = performance.now() + START_PATIENCE_MS
  while (performance.now() < until && child.exitCode === null) {
    const socket = connect(port, "127.0.0.1")
    const connected = await once(socket, "connect").then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (connected) return
    await delay(50)
  }
  throw new Error(`${child.spawnargs.join(" ")} does not listen on ${port}`)
}
