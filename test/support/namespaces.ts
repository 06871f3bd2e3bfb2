/**
 * A small internet inside this machine: network namespaces on one switch, some of them behind a NAT router. It needs
 * root and `ip`; nothing leaves the machine. Everything made here is removed by `remove`.
 *
 *     visitor 198.51.100.30 ─┐
 *     relay   198.51.100.10 ─┼─ switch ─ 198.51.100.20 home (NAT) 192.168.7.1 ─ box 192.168.7.2
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process"
import { randomBytes } from "node:crypto"

export type Internet = {
  /** The command line that runs `command` on that host. */
  on(host: HostName, command: string, ...args: readonly string[]): readonly [string, ...string[]]
  run(host: HostName, command: string, ...args: readonly string[]): string
  spawn(host: HostName, command: string, ...args: readonly string[]): ChildProcess
  /** Cuts a host off without a word, as a pulled cable does; or puts it back. */
  cable(host: HostName, state: "in" | "out"): void
  /** Gives the home router another public address, as a provider does at night. */
  renumberHome(address: string): void
  remove(): void
}

export type HostName = "relay" | "relay2" | "visitor" | "home" | "box"

const PUBLIC: Readonly<Record<Exclude<HostName, "box">, number>> = { relay: 10, relay2: 11, home: 20, visitor: 30 }

/** RFC 5737: addresses that are nobody's. */
const NOBODYS = "198.51.100"
/** Addresses that are somebody's, which nothing in a namespace can reach: routers open no port where they have one that is nobody's. */
export const SOMEBODYS = "1.2.3"

export function publicAddress(host: Exclude<HostName, "box">, network = NOBODYS): string {
  return `${network}.${PUBLIC[host]}`
}

/** Why namespaces cannot be made here; `undefined` when they can. */
export function whyNoNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return "network namespaces need root"
  try {
    const probe = `wp${randomBytes(3).toString("hex")}`
    ip("netns", "add", probe)
    ip("netns", "del", probe)
    execFileSync("nft", ["--version"])
    return undefined
  } catch (error) {
    return `network namespaces cannot be made: ${String(error).split("\n")[0]}`
  }
}

export function makeInternet(network = NOBODYS): Internet {
  const prefix = `wp${randomBytes(3).toString("hex")}`
  const name = (host: HostName | "switch") => `${prefix}-${host}`
  const within = (host: HostName | "switch", ...args: readonly string[]) => ip("netns", "exec", name(host), ...args)
  const device = (host: HostName) => `to-${host}`

  ip("netns", "add", name("switch"))
  within("switch", "ip", "link", "add", "br0", "type", "bridge")
  within("switch", "ip", "link", "set", "br0", "up")
  for (const host of Object.keys(PUBLIC) as (keyof typeof PUBLIC)[]) plugIn(host)
  addBox()

  function plugIn(host: keyof typeof PUBLIC): void {
    ip("netns", "add", name(host))
    within("switch", "ip", "link", "add", device(host), "type", "veth", "peer", "name", "eth0", "netns", name(host))
    within("switch", "ip", "link", "set", device(host), "master", "br0", "up")
    within(host, "ip", "link", "set", "lo", "up")
    within(host, "ip", "address", "add", `${publicAddress(host, network)}/24`, "dev", "eth0")
    within(host, "ip", "link", "set", "eth0", "up")
  }

  function addBox(): void {
    ip("netns", "add", name("box"))
    within("home", "ip", "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", name("box"))
    within("home", "ip", "address", "add", "192.168.7.1/24", "dev", "lan0")
    within("home", "ip", "link", "set", "lan0", "up")
    within("box", "ip", "link", "set", "lo", "up")
    within("box", "ip", "address", "add", "192.168.7.2/24", "dev", "eth0")
    within("box", "ip", "link", "set", "eth0", "up")
    within("box", "ip", "route", "add", "default", "via", "192.168.7.1")
    within("home", "sysctl", "-qw", "net.ipv4.ip_forward=1")
    const rules = [
      "add table ip nat",
      "add chain ip nat out { type nat hook postrouting priority 100 ; }",
      "add rule ip nat out oifname eth0 masquerade",
      "add table ip filter",
      "add chain ip filter forward { type filter hook forward priority 0 ; policy drop ; }",
      "add rule ip filter forward iifname lan0 accept",
      "add rule ip filter forward ct state established,related accept",
    ]
    within("home", "nft", rules.join("\n"))
  }

  const on = (host: HostName, command: string, ...args: readonly string[]): readonly [string, ...string[]] => [
    "ip",
    "netns",
    "exec",
    name(host),
    command,
    ...args,
  ]
  return {
    on,
    run: (host, command, ...args) => within(host, command, ...args),
    spawn: (host, command, ...args) => {
      const [program, ...rest] = on(host, command, ...args)
      return spawn(program, rest, { stdio: "pipe" })
    },
    cable: (host, state) => void within("switch", "ip", "link", "set", device(host), state === "in" ? "up" : "down"),
    renumberHome: (address) => {
      within("home", "ip", "address", "flush", "dev", "eth0")
      within("home", "ip", "address", "add", `${address}/24`, "dev", "eth0")
    },
    remove: () => {
      for (const host of ["box", ...Object.keys(PUBLIC), "switch"] as (HostName | "switch")[])
        ip("netns", "del", name(host))
    },
  }
}

function ip(...args: readonly string[]): string {
  return execFileSync("ip", args, { encoding: "utf8" })
}
