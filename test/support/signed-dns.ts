/**
 * A DNS of its own on loopback: Knot serves a signed root, Unbound validates it. Two zones below are as they must not be:
 * one is not signed, and of one the root says that it is signed, though it is not.
 */
import { execFileSync } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { eventually } from "./eventually.ts"
import { judgePath } from "./judge.ts"
import { freePort, scratchFolder, startProgram } from "./program.ts"

export type SignedDns = AsyncDisposable & {
  /** Where the validating resolver listens, as "127.0.0.1:12345". */
  readonly resolver: string
  /** Where the name server itself listens: it answers, and validates nothing. */
  readonly nameServer: string
}

/** `records`: lines of the root zone, in full names: `mx.dave.example. A 127.0.0.1`. */
export async function signedDns(records: readonly string[]): Promise<SignedDns> {
  await using undo = new AsyncDisposableStack()
  const { path: folder } = undo.use(await scratchFolder())
  const [serverPort, resolverPort] = [await freePort(), await freePort()]
  await writeFile(join(folder, "root.zone"), zoneText(".", [...BELOW, ...records]))
  await writeFile(join(folder, "unsigned.zone"), zoneText("unsigned.example.", ["mx.unsigned.example. A 127.0.0.1"]))
  await writeFile(join(folder, "bogus.zone"), zoneText("bogus.example.", ["mx.bogus.example. A 127.0.0.1"]))
  await writeFile(join(folder, "knot.conf"), knotConf(folder, serverPort))
  undo.use(await startProgram("knotd", ["-c", join(folder, "knot.conf")], serverPort))
  const anchor = await eventually("the root is signed", () => rootKey(serverPort))
  await writeFile(join(folder, "unbound.conf"), unboundConf(folder, { serverPort, resolverPort, anchor }))
  undo.use(await startProgram("unbound", ["-d", "-c", join(folder, "unbound.conf")], resolverPort))
  const closing = undo.move()
  return {
    resolver: `127.0.0.1:${resolverPort}`,
    nameServer: `127.0.0.1:${serverPort}`,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** The second has a DS record, and nothing signed behind it. */
const BELOW = [
  "unsigned.example. NS ns.unsigned.example.",
  "ns.unsigned.example. A 127.0.0.1",
  "bogus.example. NS ns.bogus.example.",
  "ns.bogus.example. A 127.0.0.1",
  `bogus.example. DS 12345 13 2 ${"5e".repeat(32)}`,
]

function zoneText(origin: string, records: readonly string[]): string {
  const start = [`${origin} SOA ns. admin. 1 3600 600 86400 60`, `${origin} NS ns.`]
  const host = origin === "." ? ["ns. A 127.0.0.1"] : []
  return `$TTL 60\n${[...start, ...host, ...records].join("\n")}\n`
}

function knotConf(folder: string, port: number): string {
  const zones = [
    ["unsigned.example.", "unsigned.zone"],
    ["bogus.example.", "bogus.zone"],
  ]
  return [
    "server:",
    `  listen: 127.0.0.1@${port}`,
    `  rundir: ${folder}`,
    "  udp-workers: 1",
    "  tcp-workers: 1",
    "  background-workers: 1",
    "database:",
    `  storage: ${folder}`,
    "log:",
    "  - target: stderr",
    "    any: warning",
    "policy:",
    "  - id: one-key",
    "    algorithm: ecdsap256sha256",
    "    single-type-signing: on",
    "template:",
    "  - id: default",
    `    storage: ${folder}`,
    "    zonefile-sync: -1",
    "    journal-content: none",
    "zone:",
    "  - domain: .",
    "    file: root.zone",
    "    dnssec-signing: on",
    "    dnssec-policy: one-key",
    ...zones.flatMap(([domain, file]) => [`  - domain: ${domain}`, `    file: ${file}`]),
    "",
  ].join("\n")
}

/** As a trust anchor is written; `undefined` until the zone is signed. */
function rootKey(port: number): string | undefined {
  const asked = ["@127.0.0.1", "-p", String(port), "+short", "+tries=1", "+time=1", ".", "DNSKEY"]
  const key = execFileSync(judgePath("dig"), asked, { encoding: "utf8" })
  const line = key.split("\n").find((one) => one.startsWith("257 "))
  return line && `. DNSKEY ${line}`
}

function unboundConf(
  folder: string,
  { serverPort, resolverPort, anchor }: { serverPort: number; resolverPort: number; anchor: string },
): string {
  const stubs = [".", "unsigned.example.", "bogus.example."]
  return [
    "server:",
    `  interface: 127.0.0.1@${resolverPort}`,
    `  directory: "${folder}"`,
    '  chroot: ""',
    '  username: ""',
    '  pidfile: ""',
    "  use-syslog: no",
    "  do-not-query-localhost: no",
    "  do-ip6: no",
    "  num-threads: 1",
    '  local-zone: "localhost." nodefault',
    `  trust-anchor: "${anchor}"`,
    "remote-control:",
    "  control-enable: no",
    ...stubs.flatMap((name) => ["stub-zone:", `  name: "${name}"`, `  stub-addr: 127.0.0.1@${serverPort}`]),
    "",
  ].join("\n")
}
