/** Connections to mail servers that wait for the next mail, so that not each needs one of its own. */
import type { Clock } from "../../clock/clock.ts"
import { LINGER_MS, MESSAGES_PER_SESSION_MAX } from "./lanes.ts"
import type { Session } from "./session.ts"

type Idle = { readonly session: Session; readonly wake: () => void; readonly gone: () => void }

export class IdleSessions {
  readonly #clock: Clock
  /** The last to come is the first to go. */
  readonly #idle = new Map<string, Idle[]>()

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
      found.gone()
    }
  }

  /** `gone` is called when it has ended without having been taken. */
  leave(key: string, session: Session, gone: () => void = () => {}): void {
    if (!session.usable || session.messages >= MESSAGES_PER_SESSION_MAX) return void session.quit().then(gone)
    const waiting = this.#idle.get(key) ?? []
    this.#idle.set(key, waiting)
    const over = (): void => {
      this.#forget(key, session)
      void session.quit().then(gone)
    }
    waiting.push({ session, wake: this.#clock.after(LINGER_MS, over), gone })
  }

  /** Ends all of them, with a QUIT for their servers. */
  quit(): void {
    for (const { session, gone } of this.#all()) void session.quit().then(gone)
  }

  close(): void {
    for (const { session, gone } of this.#all()) {
      session.close()
      gone()
    }
  }

  #all(): readonly Idle[] {
    const all = [...this.#idle.values()].flat()
    for (const { wake } of all) wake()
    this.#idle.clear()
    return all
  }

  #forget(key: string, session: Session): void {
    const left = (this.#idle.get(key) ?? []).filter((one) => one.session !== session)
    if (left.length > 0) this.#idle.set(key, left)
    else this.#idle.delete(key)
  }
}
