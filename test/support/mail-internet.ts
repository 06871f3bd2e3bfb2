/**
 * A small internet of mail inside one network namespace: a signed zone (Knot), a validating resolver (unbound) that every
 * program in it asks, MTA-STS policies over HTTPS (nginx), and addresses of its own for everybody. It needs root; nothing
 * leaves the machine, and everything made here is removed at the end.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process"
import { createHash, randomBytes, X509Certificate } from "node:crypto"
import { once } from "node:events"
import { chmod, mkdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { eventually } from "./eventually.ts"
import { judgePath, type Judge } from "./installed.ts"
import { keyPair, type KeyPair } from "./key-pair.ts"
import { startPostfix, type Postfix } from "./postfix.ts"
import { scratchFolder } from "./program.ts"
import { MAIN } from "./waypost.ts"

/** Who lives where. `open`: a second address of the relay's. */
export const AT = {
  relay: "198.51.100.10",
  open: "198.51.100.12",
  alice: "198.51.100.20",
  dave: "198.51.100.21",
  carol: "198.51.100.30",
  web: "198.51.100.40",
  zone: "198.51.100.53",
} as const

export type FriendsName = "alice" | "dave"

export type MailInternet = AsyncDisposable & {
  readonly folder: string
  /** The words before a command that run it in there. */
  readonly within: readonly string[]
  readonly keys: Readonly<Record<FriendsName, KeyPair>>
  /** All certificates that a sender is to trust, in one file. */
  readonly trustFile: string
  /** Runs a program in there until the end. */
  readonly start: (program: Judge | "node", args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Running>
  /** Runs it to its end; resolves to what it printed. Does not reject. */
  readonly run: (program: Judge | "node", ...args: readonly string[]) => Promise<string>
}

export type Running = { readonly child: ChildProcess; readonly said: () => string }

/** `records`: further lines of the zone `example.`, as `erin MX 10 relay.bob`. */
export async function openMailInternet(records: readonly string[] = []): Promise<MailInternet> {
  await using undo = new AsyncDisposableStack()
  const { path: folder } = undo.use(await scratchFolder())
  await chmod(folder, 0o755)
  const name = `wpmail${randomBytes(3).toString("hex")}`
  undo.defer(() => rm(join("/etc/netns", name), { recursive: true, force: true }))
  await mkdir(join("/etc/netns", name), { recursive: true }) // ip-netns(8): bound over /etc for whoever runs in there
  await writeFile(join("/etc/netns", name, "resolv.conf"), "nameserver 127.0.0.1\noptions edns0 trust-ad\n")
  execFileSync("ip", ["netns", "add", name])
  undo.defer(() => void execFileSync("ip", ["netns", "del", name]))
  const within = ["ip", "netns", "exec", name]
  execFileSync("ip", ["-n", name, "link", "set", "lo", "up"])
  for (const address of Object.values(AT))
    execFileSync("ip", ["-n", name, "address", "add", `${address}/32`, "dev", "lo"])

  const children: ChildProcess[] = []
  undo.defer(async () => void (await Promise.all(children.map(ended))))
  const start: MailInternet["start"] = async (program, args, env = {}) => {
    const path = program === "node" ? process.execPath : judgePath(program)
    const running = watched([...within, path, ...args], { ...process.env, NODE_OPTIONS: "", ...env })
    children.push(running.child)
    return running
  }
  const run: MailInternet["run"] = async (program, ...args) => {
    const path = program === "node" ? process.execPath : judgePath(program)
    const { child, said } = watched([...within, path, ...args], { ...process.env, NODE_OPTIONS: "" })
    await once(child, "close")
    return said()
  }

  const keys = { alice: await keyPair("mx.alice.example"), dave: await keyPair("mx.dave.example") }
  const web = await keyPair("mta-sts.alice.example", "mta-sts.dave.example")
  const trustFile = join(folder, "trust.pem")
  await writeFile(trustFile, [keys.alice, keys.dave, web].map(({ cert }) => `${cert.trim()}\n`).join(""))
  await startZone(folder, zoneText(keys, records), start)
  await startResolver(folder, { start, run })
  await startPolicies(folder, web, start)
  const kept = undo.move()
  return { folder, within, keys, trustFile, start, run, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** A relay with this file, as its operator runs it; `flags` for Node. Rejects if it ends before it has started. */
export async function startRelayIn(
  net: MailInternet,
  yaml: string,
  { flags = [], env = {} }: { readonly flags?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const file = join(net.folder, "relay.yaml")
  await writeFile(file, yaml)
  const relay = await net.start("node", [...flags, MAIN, "relay", "-c", file], env)
  await eventually("the relay has started", () => {
    if (relay.child.exitCode !== null) throw new Error(`the relay ended:\n${relay.said()}`)
    return relay.said().includes('"started"')
  })
  return file
}

/** Carol's Postfix, which asks the resolver of this internet; `more` as in main.cf. */
export async function carolsPostfix(
  { within }: MailInternet,
  more: readonly string[],
  transport: readonly string[] = [],
): Promise<Postfix & AsyncDisposable> {
  const postfix = await startPostfix({
    within,
    transport,
    more: [
      "myhostname = mail.carol.example",
      `inet_interfaces = ${AT.carol}`,
      `smtp_bind_address = ${AT.carol}`,
      "disable_dns_lookups = no",
      "smtp_host_lookup = dns",
      "smtp_tls_loglevel = 1",
      ...more,
    ],
  })
  return { ...postfix, [Symbol.asyncDispose]: () => postfix.stop() }
}

type Start = MailInternet["start"]
type Programs = Pick<MailInternet, "start" | "run">

/** RFC 7672: the MX and the TLSA record in a signed zone. RFC 8461: the policy's name and its id. */
function zoneText(keys: Readonly<Record<FriendsName, KeyPair>>, records: readonly string[]): string {
  const friends = Object.entries(keys).flatMap(([friend, { cert }]) => [
    `${friend} MX 10 mx.${friend}`,
    `mx.${friend} A ${AT.relay}`,
    `_25._tcp.mx.${friend} TLSA 3 1 1 ${keyDigest(cert)}`,
    `mta-sts.${friend} A ${AT.web}`,
    `_mta-sts.${friend} TXT "v=STSv1; id=1"`,
  ])
  const start = ["@ 60 SOA ns hostmaster 1 3600 600 86400 60", "@ NS ns", `ns A ${AT.zone}`]
  return [...start, ...friends, ...records, ""].join("\n")
}

/** What TLSA 3 1 1 holds: SHA-256 of the public key. */
export function keyDigest(cert: string): string {
  const spki = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" })
  return createHash("sha256").update(spki).digest("hex")
}

async function startZone(folder: string, zone: string, start: Start): Promise<void> {
  const own = join(folder, "knot")
  await mkdir(own)
  await writeFile(join(own, "example.zone"), `$ORIGIN example.\n$TTL 60\n${zone}`)
  await writeFile(
    join(own, "knot.conf"),
    `server:\n  rundir: ${own}\n  listen: ${AT.zone}@53\ndatabase:\n  storage: ${own}\n` +
      `log:\n  - target: stderr\n    any: info\n` +
      `zone:\n  - domain: example.\n    storage: ${own}\n    file: example.zone\n    dnssec-signing: on\n`,
  )
  await start("knotd", ["-c", join(own, "knot.conf")])
}

async function startResolver(folder: string, { start, run }: Programs): Promise<void> {
  const anchor = join(folder, "anchor")
  const keys = await eventually("the zone is signed", async () => {
    const lines = await run("dig", "+short", "+tries=1", "+time=1", `@${AT.zone}`, "DNSKEY", "example.")
    return lines.split("\n").filter((line) => /^\d+ 3 /.test(line)).length > 0 && lines
  })
  const records = keys.split("\n").filter((line) => /^\d+ 3 /.test(line))
  await writeFile(anchor, records.map((line) => `example. DNSKEY ${line}\n`).join(""))
  const file = join(folder, "unbound.conf")
  await writeFile(
    file,
    `server:\n  interface: 127.0.0.1\n  username: ""\n  chroot: ""\n  directory: "${folder}"\n  pidfile: ""\n  use-syslog: no\n` +
      `  do-not-query-localhost: no\n  module-config: "validator iterator"\n  trust-anchor-file: "${anchor}"\n` +
      `  do-ip6: no\nremote-control:\n  control-enable: no\nstub-zone:\n  name: "example."\n  stub-addr: ${AT.zone}\n`,
  )
  await start("unbound", ["-d", "-c", file])
  await eventually("the resolver validates", async () => {
    const said = await run("dig", "+adflag", "+tries=1", "+time=1", "@127.0.0.1", "TLSA", "_25._tcp.mx.alice.example")
    return /flags:[^;]*\bad\b/.test(said)
  })
}

async function startPolicies(folder: string, web: KeyPair, start: Start): Promise<void> {
  const own = join(folder, "web")
  await mkdir(own)
  await writeFile(join(own, "key.pem"), web.key)
  await writeFile(join(own, "cert.pem"), web.cert)
  const policy = (friend: string) => `version: STSv1\\nmode: enforce\\nmx: mx.${friend}.example\\nmax_age: 86400\\n`
  const servers = ["alice", "dave"].map(
    (friend) => `server {
    listen ${AT.web}:443 ssl;
    server_name mta-sts.${friend}.example;
    location = /.well-known/mta-sts.txt { default_type text/plain; return 200 "${policy(friend)}"; }
  }`,
  )
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${own};`)
  await writeFile(
    join(own, "nginx.conf"),
    `daemon off; pid ${own}/pid; error_log stderr; events {}
http { access_log off; ${temporary.join(" ")} ssl_certificate ${own}/cert.pem; ssl_certificate_key ${own}/key.pem;
  ${servers.join("\n  ")} }\n`,
  )
  await start("nginx", ["-e", "stderr", "-c", join(own, "nginx.conf")])
}

function watched([program = "", ...args]: readonly string[], env: NodeJS.ProcessEnv): Running {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env })
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (piece: string) => (output += piece))
  }
  return { child, said: () => output }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGTERM")
  await gone
}
