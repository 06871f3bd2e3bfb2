/** A real client program, run once: what it says when it is done. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { judgePath, type Judge } from "./installed.ts"

export type ClientRun = { readonly exitCode: number | null; readonly said: string }

/** Runs it to its end with nothing to read; stdout and stderr are kept together. */
export async function runClient(name: Judge, args: readonly string[], signal?: AbortSignal): Promise<ClientRun> {
  const child = spawn(judgePath(name), args, { stdio: ["ignore", "pipe", "pipe"], ...(signal && { signal }) })
  child.on("error", () => {}) // an aborted one reports itself so; its exit is waited for below
  let said = ""
  child.stdout.on("data", (piece: Buffer) => (said += piece.toString()))
  child.stderr.on("data", (piece: Buffer) => (said += piece.toString()))
  const [exitCode] = (await once(child, "close")) as [number | null] // the event's own signature
  return { exitCode, said }
}
