/** Connections to mail servers at home that wait for the next mail, so that not each needs one of its own. */
import type { Clock } from "../clock/clock.ts"
import type { Session } from "../smtp/delivery/session.ts"

/** Ours: as a relay's own connections (lanes.ts). */
const LINGER_MS = 5_000
const MESSAGES_PER_SESSION_MAX = 100

export class IdleSessions {
  readonly #clock: Clock
  readonly #idle = new Map<string, { readonly session: Session; readonly wake: () => void }[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** One that was left under this key and may be used. */
  take(key: string): Session | undefined {
    for (;;) {
      const found = this.#idle.get(key)?.at(-1)
      if (!found) return undefined
      found.wake()
      this.#forget(key, found.session)
      if (found.session.usable) return found.session
    }
  }

  leave(key: string, session: Session): void {
    if (!session.usable || session.messages >= MESSAGES_PER_SESSION_MAX) return void session.quit()
    const waiting = this.#idle.get(key) ?? []
    this.#idle.set(key, waiting)
    const over = (): void => {
      this.#forget(key, session)
      void session.quit()
    }
    waiting.push({ session, wake: this.#clock.after(LINGER_MS, over) })
  }

  close(): void {
    for (const { session, wake } of [...this.#idle.values()].flat()) {
      wake()
      session.close()
    }
    this.#idle.clear()
  }

  #forget(key: string, session: Session): void {
    const left = (this.#idle.get(key) ?? []).filter((one) => one.session !== session)
    if (left.length > 0) this.#idle.set(key, left)
    else this.#idle.delete(key)
  }
}
