/**
 * Counts how TLS with next hops went that are held to DANE or MTA-STS, and tells each domain the day after, where it asks
 * for that (RFC 8460). Kept in the state folder, so that a restart reports no less; a kill may lose the last minute.
 *
 *     STATE/tls-reports.json    [ { "day": "2026-11-29", "domain": …, "policies": […] }, … ]
 */
import { join } from "node:path"
import type { Clock, Instant } from "../clock/clock.ts"
import type { Resolver } from "../dns/resolver.ts"
import { readIfThere, replaceDurably } from "../files/durable-file.ts"
import type { Log } from "../log/log.ts"
import type { Hostname } from "../names/hostname.ts"
import { keepOwnMail, plainly } from "../smtp/delivery/own-mail.ts"
import { TLS_REPORTS } from "../smtp/delivery/target.ts"
import { reportAddresses } from "../smtp/tls-report/record.ts"
import type { TlsOutcome } from "../smtp/tls-report/outcome.ts"
import { reportMail } from "../smtp/tls-report/report.ts"
import { counted, type DayTally } from "../smtp/tls-report/tally.ts"
import type { Spool } from "../store/spool.ts"

export type TlsReportsOptions = {
  readonly stateFolder: string
  readonly name: Hostname
  /** Whom to ask about a report; `undefined`: nothing is counted, and what was counted is not sent. */
  readonly contact: () => string | undefined
  readonly dns: Pick<Resolver, "resolve">
  readonly spool: Pick<Spool, "draft">
  /** A report was kept: it can be delivered. */
  readonly kept: () => void
  readonly clock: Clock
  readonly log: Log
  /** Resolves when no other relay has the state folder. */
  readonly free: Promise<void> | undefined
}

const DAY_MS = 24 * 3_600_000
/** Ours: how often it is looked whether a day is over, and what was counted is written down. */
export const REPORTS_LOOK_MS = 60_000
/** RFC 8460 §4.1: a delay, so that not everybody reports at midnight; ours is the same for all. */
export const REPORT_AFTER_MS = 2 * 3_600_000
/** Ours: a domain whose record cannot be had for so long after the day is not told of it. */
export const REPORT_UNTIL_MS = 2 * DAY_MS

export class TlsReports {
  readonly #options: TlsReportsOptions
  readonly #file: string
  /** Every step waits for the one before, the first for the file. */
  #steps: Promise<void>
  #tallies: readonly DayTally[] = []
  #changed = false
  #loaded = false
  #stopped = false
  #forget = (): void => {}

  constructor(options: TlsReportsOptions) {
    this.#options = options
    this.#file = join(options.stateFolder, "tls-reports.json")
    this.#steps = (options.free ?? Promise.resolve()).then(() => this.#load())
    this.#look()
  }

  count(outcome: TlsOutcome): void {
    const { contact, clock } = this.#options
    if (contact() === undefined) return
    const day = dayOf(clock.now())
    this.#step(async () => {
      this.#tallies = counted(this.#tallies, day, outcome)
      this.#changed = true
    })
  }

  /** Resolves when what was counted is written down; at once, and without, if another relay still has the folder. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#forget()
    if (!this.#loaded && this.#options.free) return
    this.#step(() => this.#save())
    await this.#steps
  }

  #look(): void {
    if (this.#stopped) return
    this.#step(() => this.#report())
    this.#step(() => this.#save())
    this.#forget = this.#options.clock.after(REPORTS_LOOK_MS, () => this.#look())
  }

  #step(step: () => Promise<void>): void {
    this.#steps = this.#steps
      .then(step)
      .catch((error: unknown) => this.#options.log.error("TLS reports not kept", { why: String(error) }))
  }

  async #load(): Promise<void> {
    this.#loaded = true
    const text = await readIfThere(this.#file).catch(() => undefined)
    this.#tallies = text === undefined ? [] : (JSON.parse(text) as readonly DayTally[]) // written by us, whole or not at all
  }

  async #save(): Promise<void> {
    if (!this.#changed) return
    this.#changed = false
    await replaceDurably(this.#file, `${JSON.stringify(this.#tallies)}\n`, 0o600)
  }

  async #report(): Promise<void> {
    const contact = this.#options.contact()
    const now = this.#options.clock.now()
    for (const tally of this.#tallies.filter(({ day }) => Date.parse(day) + DAY_MS + REPORT_AFTER_MS <= now)) {
      if (contact !== undefined && !(await this.#isDone(tally, contact))) continue
      this.#tallies = this.#tallies.filter((one) => one !== tally)
      this.#changed = true
    }
  }

  /** False: try again later. */
  async #isDone(tally: DayTally, contact: string): Promise<boolean> {
    const { dns, clock, log, spool, name, kept } = this.#options
    const { day, domain } = tally
    const found = await dns.resolve(`_smtp._tls.${domain}`, "TXT")
    if (found.kind === "failed") return clock.now() >= Date.parse(day) + DAY_MS + REPORT_UNTIL_MS
    const records = found.kind === "records" ? found.records : []
    const to = reportAddresses(records.flatMap((one) => (one.type === "TXT" ? [one.text] : [])))
    if (to.length === 0) return true
    const at = clock.now()
    const id = await keepOwnMail(spool, { as: TLS_REPORTS, name, at }, (draft) =>
      plainly(reportMail(tally, { name, contact }, { id: draft, to, at }), to),
    )
    kept()
    log.info("TLS reported", { domain, day, to: to.join(" "), report: id })
    return true
  }
}

function dayOf(at: Instant): string {
  return new Date(at).toISOString().slice(0, 10)
}
