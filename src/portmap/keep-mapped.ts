/** Keeps one mapping at the home router as long as it is wanted: asks, renews at half its lifetime, takes it away at the end. */
import type { Clock, Instant } from "../clock/clock.ts"
import type { SocketAddress } from "../names/endpoint.ts"
import type { Mapping } from "./port-mapper.ts"

/** Ours: routers restart, and their owners switch things on. */
const ASK_AGAIN_MS = 5 * 60_000
/** Ours: nobody has to be asked more often than this, whatever lifetime he names. */
const RENEW_MS_MIN = 30_000

export type MappingState =
  | { readonly at: "asking" }
  | { readonly at: "mapped"; readonly by: Mapping["by"]; readonly external: SocketAddress; readonly until: Instant }
  | { readonly at: "refused"; readonly because: string }

export type KeptMapping = {
  state(): MappingState
  /** Ends a question that is under way; resolves when the router was told, or does not answer. */
  stop(): Promise<void>
}

/**
 * `map` asks the router, until `signal` fires; it rejects with the reason why not. `changed` is called with every new state.
 * What a router grants to a question that was cut short ends with its lifetime: nobody knows of it, and nothing listens there.
 */
export function keepMapped(
  map: (signal: AbortSignal) => Promise<Mapping>,
  clock: Clock,
  changed: () => void,
): KeptMapping {
  let state: MappingState = { at: "asking" }
  let mapping: Mapping | undefined
  const stopped = new AbortController()
  let cancel = () => {}
  const become = (next: MappingState, againMs: number) => {
    state = next
    cancel = clock.after(againMs, () => void (asking = ask()))
    changed()
  }
  const ask = async () => {
    try {
      mapping = await map(stopped.signal)
      const { by, external, lifetimeSeconds } = mapping
      if (stopped.signal.aborted) return
      const lifetimeMs = lifetimeSeconds * 1_000
      // RFC 6886 §3.3: renewed when half of its time has passed.
      become({ at: "mapped", by, external, until: clock.now() + lifetimeMs }, Math.max(lifetimeMs / 2, RENEW_MS_MIN))
    } catch (error) {
      if (!stopped.signal.aborted)
        become({ at: "refused", because: error instanceof Error ? error.message : String(error) }, ASK_AGAIN_MS)
    }
  }
  let asking = ask()
  return {
    state: () => state,
    stop: async () => {
      stopped.abort()
      cancel()
      await asking
      await mapping?.remove()
    },
  }
}
