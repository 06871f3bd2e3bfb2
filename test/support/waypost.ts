/** `waypost` as a person runs it: its own process, no terminal; what it printed and its exit code. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

export type Ran = { readonly code: number | null; readonly out: string; readonly err: string }

/** Starts it and leaves it running. */
export function startWaypost(words: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...words], {
    env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", ...env },
  })
}

export async function waypost(...words: readonly string[]): Promise<Ran> {
  const child = startWaypost(words)
  child.stdin.end()
  const ended = once(child, "close")
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { code: child.exitCode, out, err }
}
