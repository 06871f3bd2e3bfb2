/**
 * Builds the native engine: one call of the C compiler over native/*.c and the headers of the package node-api-headers
 * (node-gyp would download headers). Nothing runs this at installation: without it Waypost runs on its JavaScript engine.
 *
 *   npm run native                                    native/build/waypost-engine.node
 *   npm run native -- --sanitize address,undefined    an instrumented one beside it; `npm run sanitize` builds and uses it
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, readdirSync, renameSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { parseArgs } from "node:util"
import { ADDON_FILE } from "../src/net/native/addon.ts"

const ROOT = join(import.meta.dirname, "..")
const WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror"]

export type Built =
  { readonly kind: "built"; readonly file: string } | { readonly kind: "failed"; readonly why: string }

export type BuildOptions = {
  /** As -fsanitize takes it: `address,undefined` or `thread`. Goes beside the ordinary one, which stays as it is. */
  readonly sanitize?: string | undefined
  readonly file?: string
}

/** Builds it with $CC, or cc. A machine without a compiler is an answer, not an error. */
export function buildNative({ sanitize, file = fileFor(sanitize) }: BuildOptions = {}): Built {
  const compiler = process.env["CC"] ?? "cc"
  mkdirSync(dirname(file), { recursive: true })
  const whole = `${file}.new` // put in place at once: a program may be loading the other one
  const { status, stderr, error } = spawnSync(compiler, [...flags(sanitize), "-o", whole, ...sources()], {
    encoding: "utf8",
  })
  if (error) return { kind: "failed", why: `${compiler}: ${error.message}` }
  if (status !== 0) return { kind: "failed", why: `${compiler} ended with ${status}:\n${stderr}` }
  renameSync(whole, file)
  return { kind: "built", file }
}

function fileFor(sanitize: string | undefined): string {
  return sanitize === undefined ? ADDON_FILE : join(dirname(ADDON_FILE), sanitize, basename(ADDON_FILE))
}

function flags(sanitize: string | undefined): readonly string[] {
  const code = sanitize
    ? ["-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=undefined", `-fsanitize=${sanitize}`]
    : ["-O2"]
  const headers = join(ROOT, "node_modules/node-api-headers/include")
  return ["-std=gnu11", ...code, ...WARNINGS, "-fPIC", "-shared", "-fvisibility=hidden", "-pthread", `-I${headers}`]
}

function sources(): readonly string[] {
  const folder = join(ROOT, "native")
  return readdirSync(folder)
    .filter((name) => name.endsWith(".c"))
    .map((name) => join(folder, name))
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { sanitize: { type: "string" } } })
  const built = buildNative({ sanitize: values.sanitize })
  if (built.kind === "failed") console.error(`native engine: not built. ${built.why}`)
  else console.log(`native engine: ${built.file}`)
  process.exitCode = built.kind === "built" ? 0 : 1
}
