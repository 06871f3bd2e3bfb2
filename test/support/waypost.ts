/** `waypost` as a person runs it: its own process, no terminal; what it printed and its exit code. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"

/** The file that `node` runs as `waypost`. */
export const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))

export type Ran = { readonly code: number | null; readonly out: string; readonly err: string }

type Started = {
  readonly channel?: readonly "ipc"[]
  readonly node?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/** Starts it and leaves it running; `channel`: with a channel to us, which it notices to be closed; `node`: flags for Node; `env`: besides ours. */
export function startWaypost(words: readonly string[], { channel = [], node = [], env = {} }: Started = {}) {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...node, MAIN, ...words], {
    env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", ...env },
    stdio: ["pipe", "pipe", "pipe", ...channel],
  })
  const { stdin, stdout, stderr } = child
  if (!stdin || !stdout || !stderr) throw new Error("pipes were asked for")
  return Object.assign(child, { stdin, stdout, stderr })
}

export async function waypost(...words: readonly string[]): Promise<Ran> {
  const child = startWaypost(words)
  const ended = once(child, "close")
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { code: child.exitCode, out, err }
}
