/**
 * What the friends' mail servers behind a shared port offer before TLS, learnt from them: by every session that is
 * carried, and by asking from time to time. A shared port offers what all of them do and never more; until each was
 * heard once since the relay started, it offers STARTTLS alone. A server that is away keeps what it was last heard to say.
 *
 * Only what is said before TLS counts: a sender forgets it when TLS begins (RFC 3207 §4.2) and hears the friend's own.
 */
import type { Clock } from "../clock/clock.ts"
import { FaultError, type FaultCode } from "../faults/faults.ts"
import type { Log } from "../log/log.ts"
import { routeName, type ListenerName, type Route } from "../route/route.ts"

/** Ours: how old what a server said may be before it is asked again. */
export const OFFERS_FRESH_MS = 10 * 60_000
/** Ours: how soon a server that was away is asked again. */
export const AWAY_RETRY_MS = 30_000
/** Ours: what a sender may decide by before TLS, and what costs the relay nothing to say. Nothing that it would have to do. */
const OFFERABLE = ["8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"] as const

export type HomeOffersOptions = {
  /** The keywords of a server's EHLO before TLS. Rejects with a FaultError. */
  readonly ask: (route: Route) => Promise<readonly string[]>
  readonly clock: Clock
  readonly log: Log
}

/** What is known of one server. */
type Known = {
  readonly route: Route
  keywords: readonly string[] | undefined
  /** Why it could not be reached when it was last tried. */
  away: FaultCode | undefined
  asking: boolean
  forget: () => void
}

export class HomeOffers {
  readonly #options: HomeOffersOptions
  #homes: ReadonlyMap<string, Known> = new Map()

  constructor(options: HomeOffersOptions) {
    this.#options = options
  }

  /** Asks the servers of these routes from here on, and no others. What is known of a route that stays as it is stays. */
  follow(routes: readonly Route[]): void {
    const before = this.#homes
    this.#homes = new Map(
      routes.map((route) => {
        const known = before.get(routeName(route))
        const same = known && JSON.stringify(known.route) === JSON.stringify(route)
        return [
          routeName(route),
          same ? known : { route, keywords: undefined, away: undefined, asking: false, forget: () => {} },
        ]
      }),
    )
    const kept = new Set(this.#homes.values())
    for (const known of before.values()) if (!kept.has(known)) known.forget()
    for (const known of kept) if (!known.keywords && !known.away) void this.#ask(known)
  }

  /** What may be offered on a listener besides STARTTLS. `sizeMax`: what the relay itself takes, where it may be the end. */
  offersOf(listener: ListenerName, sizeBytesMax: number | undefined): readonly string[] {
    const homes = this.#behind(listener)
    const heard = homes.flatMap(({ keywords }) => (keywords ? [keywords] : []))
    if (heard.length === 0 || heard.length < homes.length) return []
    const sizes = [...heard.map(sizeOf), ...(sizeBytesMax === undefined ? [] : [sizeBytesMax])]
    const size = sizes.every((bytes) => bytes !== undefined) ? [sizeKeyword(Math.min(...sizes))] : []
    return [...OFFERABLE.filter((word) => heard.every((keywords) => has(keywords, word))), ...size]
  }

  /** Why nobody behind a listener can be reached; `undefined` if somebody can, or it is not known of all. */
  nobodyHome(listener: ListenerName): FaultCode | undefined {
    const homes = this.#behind(listener)
    return homes.every(({ away }) => away !== undefined) ? homes[0]?.away : undefined
  }

  /** What a server said in a session that was carried. */
  heard(route: Route, keywords: readonly string[]): void {
    const known = this.#homes.get(routeName(route))
    if (known) this.#learn(known, keywords)
  }

  /** A server did not answer somebody who was to be carried there. If it was not known to be away, it is asked. */
  missed(route: Route): void {
    const known = this.#homes.get(routeName(route))
    if (known && known.away === undefined) void this.#ask(known)
  }

  /** A friend's box has attached: what is behind it may be there again. */
  cameBack(friend: string): void {
    for (const known of this.#homes.values()) if (known.route.friend === friend) void this.#ask(known)
  }

  stop(): void {
    this.follow([])
  }

  #behind(listener: ListenerName): readonly Known[] {
    return [...this.#homes.values()].filter(({ route }) => route.listener === listener)
  }

  async #ask(known: Known): Promise<void> {
    if (known.asking) return
    known.asking = true
    known.forget()
    try {
      this.#learn(known, await this.#options.ask(known.route))
    } catch (error) {
      if (!this.#follows(known)) return
      const { code, detail } =
        error instanceof FaultError ? error.fault : { code: "HOME_AWAY" as const, detail: String(error) }
      if (known.away !== code) this.#options.log.info("home not heard", { route: routeName(known.route), code, detail })
      known.away = code
      this.#askAfter(known, AWAY_RETRY_MS)
    } finally {
      known.asking = false
    }
  }

  #learn(known: Known, keywords: readonly string[]): void {
    if (!this.#follows(known)) return
    if (known.away) this.#options.log.info("home heard again", { route: routeName(known.route) })
    known.keywords = keywords
    known.away = undefined
    this.#askAfter(known, OFFERS_FRESH_MS)
  }

  #askAfter(known: Known, delayMs: number): void {
    known.forget()
    known.forget = this.#options.clock.after(delayMs, () => void this.#ask(known))
  }

  #follows(known: Known): boolean {
    return this.#homes.get(routeName(known.route)) === known
  }
}

function has(keywords: readonly string[], word: string): boolean {
  return keywords.some((keyword) => keyword.toUpperCase() === word)
}

/** RFC 1870 §3: without a number, or with 0, there is a limit that is not told, or none. `undefined`: not offered at all. */
function sizeOf(keywords: readonly string[]): number | undefined {
  const given = keywords.map((keyword) => /^SIZE(?: (\d{1,15}))?$/i.exec(keyword)).find((match) => match !== null)
  return given ? Number(given[1] ?? 0) || Infinity : undefined
}

function sizeKeyword(bytes: number): string {
  return bytes === Infinity ? "SIZE" : `SIZE ${bytes}`
}
