/**
 * Checks that imports point down only, as ARCHITECTURE.md draws it. The table below is the drawing as data; a test
 * holds the two together. dependency-cruiser reads the imports; it reports success on nothing, so the count is checked too.
 */
import { cruise, type ICruiseResult } from "dependency-cruiser"

/** What each folder of src may import besides itself. Nothing else, and nothing upward. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  faults: [],
  clock: [],
  log: [],
  files: [],
  names: [],
  route: ["names"],
  config: ["names", "faults", "route"],
  policy: ["names", "faults", "route"],
  net: ["bytes", "names", "faults", "clock", "log"],
  store: ["names", "faults", "clock", "log", "bytes", "files"],
  seal: ["names", "faults", "files"],
  prelude: ["bytes", "names", "faults"],
  sni: ["bytes", "names", "faults"],
  outgoing: ["bytes", "names", "faults"],
  dns: ["bytes", "names", "faults", "clock", "log", "net"],
  cert: ["bytes", "names", "faults", "clock", "log", "files"],
  smtp: ["bytes", "names", "faults", "clock", "log", "route", "net", "store", "dns", "seal"],
  http: ["bytes", "names", "faults", "clock", "log", "route", "net"],
  tunnel: ["bytes", "names", "faults", "clock", "log", "route", "net"],
  portmap: ["bytes", "names", "faults", "clock", "log", "net"],
  relay: [
    "bytes",
    "names",
    "faults",
    "clock",
    "log",
    "route",
    "config",
    "policy",
    "net",
    "store",
    "files",
    "sni",
    "prelude",
    "dns",
    "cert",
    "smtp",
    "http",
    "tunnel",
  ],
  box: [
    "bytes",
    "names",
    "faults",
    "clock",
    "log",
    "route",
    "config",
    "policy",
    "net",
    "store",
    "files",
    "tunnel",
    "outgoing",
    "dns",
    "cert",
    "smtp",
    "seal",
    "portmap",
  ],
  lab: ["names", "faults", "clock", "log", "route", "config", "policy", "net", "relay", "box", "cert"],
  cli: [
    "names",
    "faults",
    "clock",
    "log",
    "route",
    "config",
    "policy",
    "net",
    "store",
    "dns",
    "cert",
    "relay",
    "box",
    "lab",
  ],
}

/** Modules that own sockets and servers: only these folders may import them. */
const SOCKET_MODULES = /^(node:)?(net|tls|http|https|http2|dgram)$/
const MAY_OPEN_SOCKETS = new Set(["net", "smtp", "http", "tunnel", "relay", "lab"])
/** What could decrypt; what looks at dedicated connections must stay without. */
const CRYPTO_MODULES = /^(node:)?(crypto|tls|https)$/
const MUST_NOT_DECRYPT = new Set(["sni", "prelude"])

type Breach = { readonly from: string; readonly to: string; readonly why: string }

export async function breaches(): Promise<{ readonly modules: number; readonly found: readonly Breach[] }> {
  const { output } = await cruise(["src"], { tsPreCompilationDeps: true, doNotFollow: { path: "node_modules" } })
  const { modules } = output as ICruiseResult
  const ours = modules.filter((module) => module.source.startsWith("src/"))
  const found = ours.flatMap((module) =>
    module.dependencies.flatMap((dependency) =>
      breach(module.source, dependency.resolved, dependency.module, dependency.circular),
    ),
  )
  return { modules: ours.length, found }
}

function breach(from: string, to: string, asked: string, circular: boolean): Breach[] {
  const why = circular ? "imports in a circle" : (crossing(folderOf(from), to) ?? misuse(folderOf(from), asked))
  return why ? [{ from, to, why }] : []
}

function crossing(folder: string, to: string): string | undefined {
  if (to.startsWith("test/")) return "src never imports test"
  if (!to.startsWith("src/")) return undefined
  const target = folderOf(to)
  const allowed = MAY_IMPORT[folder]
  if (!allowed) return `the folder ${folder} is not in the table of tools/check-structure.ts`
  return target === folder || allowed.includes(target) ? undefined : `${folder} may not import ${target}`
}

function misuse(folder: string, asked: string): string | undefined {
  if (asked === "yargs" && folder !== "cli") return "yargs is for cli only"
  if (SOCKET_MODULES.test(asked) && !MAY_OPEN_SOCKETS.has(folder)) return `${folder} may not own sockets`
  if (MUST_NOT_DECRYPT.has(folder) && CRYPTO_MODULES.test(asked)) return `${folder} must not be able to decrypt`
  return undefined
}

function folderOf(source: string): string {
  return source.split("/")[1] ?? ""
}

/** Ours: fewer modules than this means that the tool read nothing, which it reports as success. */
const MODULES_MIN = 10

if (import.meta.main) {
  const { modules, found } = await breaches()
  for (const { from, to, why } of found) console.error(`${from} → ${to}: ${why}`)
  if (modules < MODULES_MIN) console.error(`only ${modules} modules were read; the check did not run`)
  if (found.length > 0 || modules < MODULES_MIN) process.exit(1)
  console.log(`structure: ${modules} modules, imports point down`)
}
