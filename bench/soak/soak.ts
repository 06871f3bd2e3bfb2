/** One soak of one engine: visitors come again and again, in two waves, and after each the relay is measured at rest. */
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import type { Engine } from "../../src/net/engine.ts"
import { helloFor } from "../dataplane/hello.ts"
import type { Scheduled } from "../strain/figures.ts"
import { soakService, type Faults } from "./service.ts"
import { HELLO_DEADLINE_MS, SoakedRelay, type Used } from "./soaked-relay.ts"
import { visit, type Manner } from "./visitor.ts"

/** Ours: the heap of a relay at rest breathes by about this much. */
const RSS_GROWTH_BYTES_MAX = 32 * 1024 * 1024
/** PIPES_KEPT_MAX of native/pipes.h, both ends: what a thread keeps ready. */
const KEPT_PIPE_DESCRIPTORS = 32
const RELOAD_EVERY_MS = 3_000
/** Ours: memory counts from where everything is warm: after so much of the time, or more of it if few could come. */
const WARM_SHARE = 0.1
const WARM_SHARE_MAX = 0.5
const WARM_VISITS = 600
/** Ours: how long a relay may take to come to rest on a busy machine. */
const REST_PATIENCE_MS = 30_000
const PROGRESS_SHARE = 0.1

export type SoakOptions = {
  readonly engine: Engine["kind"]
  readonly seconds: number
  readonly visitors: number
  readonly threads: number
  readonly seed: number
}

export type Soaked = {
  readonly engine: Engine["kind"]
  readonly seconds: number
  readonly visits: Readonly<Partial<Record<Manner, number>>>
  readonly bytes: number
  readonly reloads: number
  /** At rest: before anybody came, when everything is warm, in the end. */
  readonly fresh: Used
  readonly warm: Used
  readonly last: Used
  /** The relay, since it started: with little waiting, what came late was its own fault. */
  readonly scheduled: Scheduled
  readonly faults: Faults
}

export async function soak(options: SoakOptions): Promise<Soaked> {
  const faults: Faults = []
  const service = soakService(faults).listen(0, "127.0.0.1")
  await once(service, "listening")
  const { port } = service.address() as AddressInfo // it listens on TCP
  await using relay = await SoakedRelay.start(options.engine, options.threads, port)
  const began = performance.now()
  const wave = new Waves(relay, options, faults)
  const fresh = relay.used
  let share = 0
  do {
    await wave.roll(options.seconds * WARM_SHARE)
    share += WARM_SHARE
  } while (wave.count < WARM_VISITS && share < WARM_SHARE_MAX)
  const warm = await atRest(relay, fresh)
  await wave.roll(options.seconds * (1 - share))
  const last = await atRest(relay, fresh)
  const { scheduled } = relay
  const failure = await relay.stop()
  service.close()
  const kept = options.engine === "native" ? options.threads * KEPT_PIPE_DESCRIPTORS : 0
  const wrong = [failure, ...growth({ fresh, warm, last }, kept)].filter((what) => what !== undefined)
  faults.push(...wrong.map((what) => ({ seed: options.seed, what: `the relay: ${what}` })))
  const seconds = Math.round((performance.now() - began) / 1000)
  const { visits, bytes, reloads } = wave
  return {
    engine: options.engine,
    seconds,
    visits: Object.fromEntries(visits),
    bytes,
    reloads,
    fresh,
    warm,
    last,
    scheduled,
    faults,
  }
}

function* growth({ fresh, warm, last }: Pick<Soaked, "fresh" | "warm" | "last">, kept: number): Generator<string> {
  if (last.sockets > fresh.sockets) yield `${last.sockets} sockets are open, at first ${fresh.sockets}`
  const others = last.otherDescriptors - fresh.otherDescriptors
  if (others > kept) yield `${others} other descriptors more than at first, ${kept} of them may be pipes`
  if (last.rssBytes > warm.rssBytes + RSS_GROWTH_BYTES_MAX) yield "its memory has grown"
}

/** What it holds once nobody is inside any more; whatever it is after that patience. */
async function atRest(relay: SoakedRelay, fresh: Used): Promise<Used> {
  await relay.reload(false)
  await sleep(HELLO_DEADLINE_MS)
  const until = performance.now() + REST_PATIENCE_MS
  while (relay.used.sockets > fresh.sockets && performance.now() < until) await sleep(100)
  return relay.used
}

/** Visitors and reloads, for as long as they are let. */
class Waves {
  readonly visits = new Map<Manner, number>()
  bytes = 0
  reloads = 0
  readonly #relay: SoakedRelay
  readonly #options: SoakOptions
  readonly #faults: Faults
  readonly #hello = helloFor("alice.example", "post-quantum")
  #seed: number
  #spentSeconds = 0
  #running = false

  constructor(relay: SoakedRelay, options: SoakOptions, faults: Faults) {
    this.#relay = relay
    this.#options = options
    this.#faults = faults
    this.#seed = options.seed * 1_000_000
  }

  get count(): number {
    return [...this.visits.values()].reduce((sum, visits) => sum + visits, 0)
  }

  async roll(seconds: number): Promise<void> {
    this.#running = true
    const visitors = Array.from({ length: this.#options.visitors }, () => this.#comeAgainAndAgain())
    const reloading = this.#reloadAgainAndAgain()
    const step = Math.min(seconds, this.#options.seconds * PROGRESS_SHARE)
    for (let spent = 0; spent < seconds - step / 2; spent += step) {
      await sleep(step * 1000)
      this.#spentSeconds += step
      this.#tell()
    }
    this.#running = false
    await Promise.all([...visitors, reloading])
  }

  #tell(): void {
    const { engine, seconds } = this.#options
    const spent = `${Math.round(this.#spentSeconds)} of ${seconds} s`
    const megabytes = (this.#relay.used.rssBytes / 1024 / 1024).toFixed(0)
    const soFar = `${this.count} visits, ${this.reloads} reloads, ${this.#faults.length} faults`
    console.error(`${engine}: ${spent}, ${soFar}, ${megabytes} MB`)
  }

  async #comeAgainAndAgain(): Promise<void> {
    while (this.#running) {
      const where = { seed: this.#seed++, port: this.#relay.port, hello: this.#hello }
      const { manner, bytes } = await visit(where, this.#faults)
      this.visits.set(manner, (this.visits.get(manner) ?? 0) + 1)
      this.bytes += bytes
    }
  }

  async #reloadAgainAndAgain(): Promise<void> {
    for (let more = true; this.#running; more = !more) {
      await this.#relay.reload(more)
      this.reloads += 1
      await sleep(RELOAD_EVERY_MS)
    }
  }
}
