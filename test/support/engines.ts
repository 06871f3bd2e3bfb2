/** The engines that every test of passing bytes runs against. */
import { javascriptEngine } from "../../src/net/engine-js.ts"
import { nativeEngine } from "../../src/net/engine-native.ts"
import { ADDON_FILE_VARIABLE, loadAddon } from "../../src/net/native/addon.ts"
import type { Engine } from "../../src/net/engine.ts"
import { silentLog, type Log } from "../../src/log/log.ts"

export type EngineUnderTest = {
  readonly name: string
  readonly start: (log?: Log) => Engine
  /** Whether a connection can be adopted whose visitor has finished; otherwise it is reset. */
  readonly adoptsFinished: boolean
}

const native = loadAddon()

const ours: readonly EngineUnderTest[] = [
  { name: "javascript", start: (log = silentLog) => javascriptEngine({ log }), adoptsFinished: true },
  {
    name: "javascript, documented members only",
    start: (log = silentLog) => javascriptEngine({ log, bareHandles: false }),
    adoptsFinished: false,
  },
]

const built: readonly EngineUnderTest[] =
  native.kind === "missing"
    ? []
    : [
        {
          name: "native",
          start: (log = silentLog) => nativeEngine({ addon: native.addon, log, threads: 2 }),
          adoptsFinished: true,
        },
      ]

/** The native engine is among them where it is built (`npm run native`); alone where a run is about one build of it. */
export const engines: readonly EngineUnderTest[] = process.env[ADDON_FILE_VARIABLE] ? built : [...ours, ...built]

/** The same by what `waypost relay --engine` calls them. */
export const engineKinds: readonly Engine["kind"][] = [...new Set(engines.map(({ name }) => kindOf(name)))]

function kindOf(name: string): Engine["kind"] {
  return name === "native" ? "native" : "javascript"
}
