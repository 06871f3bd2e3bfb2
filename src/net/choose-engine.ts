/** Which engine moves the bytes here, and why. */
import type { Log } from "../log/log.ts"
import { javascriptEngine } from "./engine-js.ts"
import { nativeEngine } from "./engine-native.ts"
import type { Engine } from "./engine.ts"
import { loadAddon, type LoadedAddon } from "./native/addon.ts"

export type EngineOffer = {
  readonly kind: Engine["kind"]
  /** For a person: what decided it. */
  readonly why: string
}

export type EngineChoice = {
  readonly log: Log
  /** `javascript` even where the native one is there. */
  readonly wish?: "native" | "javascript" | undefined
  /** Threads of the native engine; one for each core unless said otherwise. */
  readonly threads?: number
}

/** What this machine gives, for `waypost doctor` and the start log. Starts nothing. */
export function engineOffer(wish?: EngineChoice["wish"], loaded: LoadedAddon = loadAddon()): EngineOffer {
  if (wish === "javascript") return { kind: "javascript", why: "it was asked for" }
  if (loaded.kind === "loaded") return { kind: "native", why: "it is built and loads" }
  return { kind: "javascript", why: `the native engine is missing: ${loaded.why}` }
}

/** The native engine where it is built and loads, otherwise the JavaScript one; says which and why in the log. */
export function chooseEngine({ log, wish, threads }: EngineChoice): Engine {
  const loaded = loadAddon()
  const offer = engineOffer(wish, loaded)
  log.info("engine", { kind: offer.kind, why: offer.why })
  if (offer.kind === "javascript" || loaded.kind === "missing") return javascriptEngine({ log })
  return nativeEngine({ addon: loaded.addon, log, ...(threads !== undefined && { threads }) })
}
