/**
 * The kernel path: visitors of a friend's own address are led to the friend's server by the kernel, and no byte of theirs
 * comes here. It is a table of nftables that is ours alone; nothing else is touched. Where the kernel cannot be told, the
 * relay carries them itself, as it does without `engine: kernel`.
 */
import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Config } from "../config/config.ts"
import type { FaultCode } from "../faults/faults.ts"
import type { Log } from "../log/log.ts"
import type { SocketAddress } from "../names/endpoint.ts"
import { ipAddress, isIpv6 } from "../names/ip-address.ts"
import { changeRules, mayChangeRules, readCounters, type NftAnswer } from "../net/kernel/nft.ts"
import { counterName, removalText, rulesetText, tableName, type KernelRoute } from "../net/kernel/ruleset.ts"
import type { FriendName, ListenerName, Route } from "../route/route.ts"

export type KernelCounts = {
  readonly friend: FriendName
  readonly listener: ListenerName
  readonly connections: number
  /** Of IP packets, their headers included. */
  readonly bytesToBackend: number
  readonly bytesToVisitor: number
}

const CODE: FaultCode = "NO_KERNEL_PATH"

export class KernelPath {
  readonly #state: string
  readonly #table: string
  readonly #log: Log
  #routes: readonly KernelRoute[] = []
  /** Our table is there. */
  #stands = false
  /** The relay before us still runs: what it told the kernel is taken over as it is, not cleared away. */
  #follows: boolean

  constructor(stateFolder: string, log: Log, follows = false) {
    this.#state = stateFolder
    this.#table = tableName(stateFolder)
    this.#log = log
    this.#follows = follows
  }

  /** Leads along these routes and no others, in one step. Connections that are led already go on. */
  async lead(routes: readonly KernelRoute[]): Promise<void> {
    if (this.#follows) this.#stands = (await markedTable(this.#state)) !== undefined
    this.#follows = false
    if (routes.length === 0 && !this.#stands) return this.#removeLeftovers()
    const why = await whyNotForwarded(routes)
    if (why) return this.#giveUp(why)
    const marked = await markedTable(this.#state)
    // Before the kernel is told: whoever comes after us finds it, also if we are killed.
    if (marked === undefined) await writeFile(kernelPathMark(this.#state), `${this.#table}\n`)
    const answer = await changeRules(rulesetText(this.#table, routes, !this.#stands))
    if (answer.kind === "refused" && marked === undefined) await rm(kernelPathMark(this.#state))
    if (answer.kind === "refused") return this.#giveUp(answer)
    this.#stands = true
    this.#routes = routes
    for (const { friend, listener, own, to } of routes)
      this.#log.info("the kernel leads", { route: `${friend}/${listener}`, own: text(own), to: text(to) })
  }

  /** What has passed, by route, since the relay was started. */
  async counts(): Promise<readonly KernelCounts[]> {
    if (!this.#stands) return []
    const counters = new Map((await readCounters(this.#table)).map((counter) => [counter.name, counter]))
    const names = new Map(this.#routes.map(({ friend, listener }) => [`${friend} ${listener}`, { friend, listener }]))
    return [...names.values()].map((route) => ({
      ...route,
      connections: counters.get(counterName(route, "connections"))?.packets ?? 0,
      bytesToBackend: counters.get(counterName(route, "to-backend"))?.bytes ?? 0,
      bytesToVisitor: counters.get(counterName(route, "to-visitor"))?.bytes ?? 0,
    }))
  }

  /** The table as we want it, whatever a relay that was to follow us has made of it. */
  async leadAgain(): Promise<void> {
    if (this.#stands) await this.lead(this.#routes)
  }

  /** The relay that follows us has taken the table over: it is not ours to remove. */
  handOver(): void {
    this.#routes = []
    this.#stands = false
  }

  /** Removes the table, and with it the kernel's part in running connections. */
  async close(): Promise<void> {
    this.#routes = []
    if (this.#stands) await this.#remove()
    this.#stands = false
  }

  /** The relay before us was killed, and what it told the kernel still holds. */
  async #removeLeftovers(): Promise<void> {
    if ((await markedTable(this.#state)) !== undefined) await this.#remove()
  }

  async #remove(): Promise<void> {
    const answer = await changeRules(removalText(this.#table))
    if (answer.kind === "done") return rm(kernelPathMark(this.#state), { force: true })
    this.#log.error("the kernel still leads visitors", { code: CODE, table: this.#table, detail: answer.why })
  }

  /** Half of it would be worse than nothing: the ordinary path carries all. */
  async #giveUp({ why, remedy }: Why): Promise<void> {
    this.#log.warn("the relay carries itself what the kernel was to lead", { code: CODE, detail: `${why}; ${remedy}` })
    this.#routes = []
    await this.#removeLeftovers()
    this.#stands = false
  }
}

/** In the state folder while our table may be there, with its name inside. */
export function kernelPathMark(stateFolder: string): string {
  return join(stateFolder, "kernel-path")
}

/** The table that a relay on this folder has made, or left behind. */
export async function markedTable(stateFolder: string): Promise<string | undefined> {
  const marked = await readFile(kernelPathMark(stateFolder), "utf8").catch(() => undefined)
  return marked?.trim()
}

/** What the kernel is to lead: each own address of a friend's, on each port of the listener, to the server of its family. */
export function kernelRoutes({ friends, listeners }: Pick<Config, "friends" | "listeners">): readonly KernelRoute[] {
  return friends.flatMap(({ routes }) =>
    routes.filter(isKernels).flatMap((route) => {
      const binds = listeners.find(({ name }) => name === route.listener)?.bind ?? []
      return owns(route, binds).flatMap((own) => {
        const to = servers(route).find(({ address }) => isIpv6(address) === isIpv6(own.address))
        return to ? { friend: route.friend, listener: route.listener, own, to } : []
      })
    }),
  )
}

function isKernels({ carry }: Route): boolean {
  return carry.mode === "dedicated" && carry.engine === "kernel"
}

function owns({ matches }: Route, binds: readonly SocketAddress[]): readonly SocketAddress[] {
  const addresses = matches.flatMap((match) => (match.by === "address" ? match.addresses : []))
  return addresses.flatMap((address) => {
    const everywhere = isIpv6(address) ? "::" : "0.0.0.0"
    const ports = binds
      .filter((bind) => bind.address === address || bind.address === everywhere)
      .map(({ port }) => port)
    return [...new Set(ports)].map((port) => ({ address, port }))
  })
}

function servers({ to }: Route): readonly SocketAddress[] {
  if (to.kind === "box") return []
  return to.to.flatMap(({ host, port }) => {
    const address = ipAddress(host)
    return address ? { address, port } : []
  })
}

type Why = Pick<Extract<NftAnswer, { kind: "refused" }>, "why" | "remedy">

/** Why the kernel would not lead these here; asks it, and changes nothing. */
export async function whyNotLed(routes: readonly KernelRoute[]): Promise<Why | undefined> {
  const forwarding = await whyNotForwarded(routes)
  if (forwarding) return forwarding
  const answer = await mayChangeRules()
  return answer.kind === "refused" ? answer : undefined
}

/** Nothing is forwarded by a machine that was not told to be a router; that is not ours to change. */
async function whyNotForwarded(routes: readonly KernelRoute[]): Promise<Why | undefined> {
  const families = new Set(
    routes.map(({ own }) => (isIpv6(own.address) ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward")),
  )
  for (const setting of families) {
    const value = await readFile(`/proc/sys/${setting.replaceAll(".", "/")}`, "utf8").catch(() => "absent")
    if (value.trim() !== "1") return { why: `${setting} is ${value.trim()}`, remedy: `sysctl -w ${setting}=1` }
  }
  return undefined
}

function text({ address, port }: SocketAddress): string {
  return isIpv6(address) ? `[${address}]:${port}` : `${address}:${port}`
}
