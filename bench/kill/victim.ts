/** A program of ours that is killed, and started again by the next round. */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"

const MAIN = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts")

export class Victim {
  readonly #args: readonly string[]
  #running: ChildProcess | undefined

  /** `args`: as after `waypost`. */
  constructor(args: readonly string[]) {
    this.#args = args
    process.on("exit", () => this.#running?.kill("SIGKILL")) // whoever interrupts the run leaves nothing behind
  }

  /** Unless it runs already. */
  start(): void {
    const args = ["--disable-warning=ExperimentalWarning", MAIN, ...this.#args]
    this.#running ??= spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] })
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const running = this.#running
    if (!running) return
    if (running.exitCode !== null)
      throw new Error(`${this.#args[0]} ended by itself with exit code ${running.exitCode}`)
    const exited = once(running, "exit")
    running.kill(signal)
    await exited
    this.#running = undefined
  }
}
