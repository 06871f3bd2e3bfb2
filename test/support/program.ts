/** A real program that runs beside a test: on loopback, in a folder of its own, stopped by its own pid. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { connect, createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { judgePath, type Judge } from "./installed.ts"

/** `await using` ends it. */
export type Program = AsyncDisposable & {
  /** Everything it has written to stdout and stderr so far. */
  said(): string
}

/** Starts a program that stays in the foreground, and waits until it accepts connections on 127.0.0.1:`port`. */
export async function startProgram(name: Judge, args: readonly string[], port: number): Promise<Program> {
  const child = spawn(judgePath(name), args, { stdio: ["ignore", "pipe", "pipe"] })
  const ended = once(child, "exit")
  let output = ""
  child.stdout.on("data", (piece: Buffer) => (output += piece.toString()))
  child.stderr.on("data", (piece: Buffer) => (output += piece.toString()))
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}:\n${output}`)
    await delay(50)
  }
  return {
    said: () => output,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM")
      await ended
    },
  }
}

/** A port of 127.0.0.1 that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

/** An empty folder that is removed with everything in it. */
export async function scratchFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "waypost-"))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Whether something listens on 127.0.0.1:`port`. */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1")
  try {
    await once(socket, "connect")
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
