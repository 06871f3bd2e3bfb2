/**
 * A relay in a process of its own: one engine that carries everything to one backend. Run as a program it takes
 * `native|javascript`, the backend's port and a deadline for the first bytes; as a module it starts that program.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import type { SocketAddress } from "../../src/names/endpoint.ts"
import { silentLog } from "../../src/log/log.ts"
import { chooseEngine } from "../../src/net/choose-engine.ts"
import type { Engine } from "../../src/net/engine.ts"
import { carry } from "./door.ts"
import { at } from "./loopback.ts"

export type RelayInChild = AsyncDisposable & {
  readonly bound: SocketAddress
  readonly child: ChildProcess
  /** Everything it has written to stderr so far. */
  said(): string
}

export type RelayInChildOptions = {
  readonly engine: Engine["kind"]
  readonly backend: SocketAddress
  readonly decideDeadlineMs?: number
  /** `ulimit -n`. */
  readonly descriptorsMax?: number
}

export async function relayInChild(options: RelayInChildOptions): Promise<RelayInChild> {
  const { engine, backend, decideDeadlineMs = 10_000, descriptorsMax = 20_000 } = options
  const program = [process.execPath, import.meta.filename, engine, String(backend.port), String(decideDeadlineMs)]
  // Not by `ulimit` of a shell: every shell crashes at setjmp(3) under ThreadSanitizer's preloaded library.
  const child = spawn("prlimit", [`--nofile=${descriptorsMax}`, ...program], { stdio: ["ignore", "pipe", "pipe"] })
  let said = ""
  child.stderr.on("data", (piece: Buffer) => (said += piece.toString()))
  const [line] = (await Promise.race([once(createInterface(child.stdout), "line"), once(child, "exit")])) as [unknown]
  const port = Number(line)
  if (!(port > 0)) throw new Error(`the relay did not start: ${said}`)
  return {
    bound: at("127.0.0.1", port),
    child,
    said: () => said,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, "exit")
      child.kill("SIGKILL")
      await ended
    },
  }
}

/** Whoever begins with it has never said enough. */
const DOT = ".".charCodeAt(0)

if (import.meta.main) {
  const [kind, port, decideDeadlineMs] = process.argv.slice(2)
  const engine = chooseEngine({ log: silentLog, wish: kind === "native" ? "native" : "javascript", threads: 1 })
  if (engine.kind !== kind) throw new Error(`the engine is ${engine.kind}`)
  const listener = await engine.listen(
    {
      name: "child",
      bind: at("127.0.0.1", 0),
      ask: "bytes",
      decideDeadlineMs: Number(decideDeadlineMs),
      ended: () => {},
    },
    ({ received }) => (received[0] === DOT ? { do: "wait" } : carry(at("127.0.0.1", Number(port)))),
  )
  console.log(listener.bound.port)
  process.on("SIGTERM", () => process.exit(0)) // connections and all
}
