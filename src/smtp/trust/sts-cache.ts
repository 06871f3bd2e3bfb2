/**
 * The MTA-STS policies that are known, kept over restarts: what was promised for a year holds for a year, also when
 * somebody on the way makes the record or the web server disappear (RFC 8461 §10.2).
 */
import type { Clock, Instant } from "../../clock/clock.ts"
import type { Resolver } from "../../dns/resolver.ts"
import type { Log } from "../../log/log.ts"
import { hostname, type Hostname } from "../../names/hostname.ts"
import type { FetchStsPolicy } from "./sts-fetch.ts"
import { readStsPolicy, stsId, type StsPolicy } from "./sts-policy.ts"

/** As it is kept: the text of the policy, so that it is read anew by whatever version of us comes next. */
type Kept = { readonly id: string; readonly text: string; readonly fetchedAt: Instant }

/** Where policies are kept; `load` resolves to `undefined` if there is nothing. */
export type StsStore = {
  load(): Promise<string | undefined>
  save(text: string): Promise<void>
}

/** Ours: domains that publish a policy and whose mail we sent or tried to; those used longest ago are forgotten first. */
export const STS_DOMAINS_MAX = 2_000
/** RFC 8461 §3.3: a fetch that failed is not repeated before that. */
export const STS_FETCH_AGAIN_MS = 5 * 60_000

type Sources = {
  readonly dns: Pick<Resolver, "resolve">
  readonly fetch: FetchStsPolicy
  readonly store: StsStore
  readonly clock: Clock
  readonly log: Log
}

export class StsCache {
  readonly #sources: Sources
  /** In order of use, last used last. */
  #kept: Promise<Map<string, Kept>> | undefined
  #saving: Promise<void> = Promise.resolve()
  readonly #failedAt = new Map<string, Instant>()
  readonly #asking = new Map<string, Promise<StsPolicy | undefined>>()

  constructor(sources: Sources) {
    this.#sources = sources
  }

  /** The policy in force; `undefined` if there is none. Never rejects. */
  policyFor(domain: Hostname): Promise<StsPolicy | undefined> {
    const asked = this.#asking.get(domain)
    if (asked) return asked
    const asking = this.#find(domain).finally(() => this.#asking.delete(domain))
    this.#asking.set(domain, asking)
    return asking
  }

  async #find(domain: Hostname): Promise<StsPolicy | undefined> {
    const kept = await (this.#kept ??= this.#load())
    const known = kept.get(domain)
    const inForce = known && this.#inForce(known)
    const found = await this.#sources.dns.resolve(`_mta-sts.${domain}`, "TXT")
    const texts = found.kind === "records" ? found.records.flatMap((one) => (one.type === "TXT" ? [one.text] : [])) : []
    const id = stsId(texts)
    // RFC 8461 §3.3: without a record, or a policy that can be had, the one we know goes on.
    const isNew = id !== undefined && (!inForce || known?.id !== id)
    const policy = isNew ? ((await this.#fetch(domain, id, kept)) ?? inForce) : inForce
    const used = kept.get(domain)
    if (used) this.#put(kept, domain, used)
    return policy
  }

  #inForce({ text, fetchedAt }: Kept): StsPolicy | undefined {
    const policy = readStsPolicy(text)
    return policy && this.#sources.clock.now() < fetchedAt + policy.maxAgeSeconds * 1000 ? policy : undefined
  }

  async #fetch(domain: Hostname, id: string, kept: Map<string, Kept>): Promise<StsPolicy | undefined> {
    const { fetch, clock, log } = this.#sources
    if (clock.now() < (this.#failedAt.get(domain) ?? -Infinity) + STS_FETCH_AGAIN_MS) return undefined
    try {
      const text = await fetch(domain)
      const policy = readStsPolicy(text)
      if (!policy) throw new Error("it is no policy")
      this.#failedAt.delete(domain)
      this.#put(kept, domain, { id, text, fetchedAt: clock.now() })
      await this.#save(kept)
      return policy
    } catch (error) {
      if (this.#failedAt.size >= STS_DOMAINS_MAX) this.#failedAt.clear()
      this.#failedAt.set(domain, clock.now())
      log.warn("no MTA-STS policy", { domain, why: String(error) })
      return undefined
    }
  }

  #put(kept: Map<string, Kept>, domain: string, one: Kept): void {
    kept.delete(domain)
    kept.set(domain, one)
    const [oldest] = kept.keys()
    if (kept.size > STS_DOMAINS_MAX && oldest !== undefined) kept.delete(oldest)
  }

  async #load(): Promise<Map<string, Kept>> {
    const text = await this.#sources.store.load().catch(() => undefined)
    return new Map(text === undefined ? [] : readKept(text))
  }

  /** One after the other, so that an older state never replaces a newer one. */
  #save(kept: ReadonlyMap<string, Kept>): Promise<void> {
    const { store, log } = this.#sources
    this.#saving = this.#saving
      .then(() => store.save(`${JSON.stringify(Object.fromEntries(kept))}\n`))
      .catch((error: unknown) => log.error("MTA-STS policies not kept", { why: String(error) }))
    return this.#saving
  }
}

/** What another version, or a hand, wrote is passed over where it is not what it must be. */
function readKept(text: string): readonly (readonly [string, Kept])[] {
  try {
    const read: unknown = JSON.parse(text)
    const entries = typeof read === "object" && read !== null ? Object.entries(read as Record<string, unknown>) : []
    return entries.flatMap(([domain, one]) => (hostname(domain) && isKept(one) ? [[domain, one] as const] : []))
  } catch {
    return []
  }
}

function isKept(read: unknown): read is Kept {
  if (typeof read !== "object" || read === null || !("id" in read) || !("text" in read) || !("fetchedAt" in read))
    return false
  return typeof read.id === "string" && typeof read.text === "string" && typeof read.fetchedAt === "number"
}
