/** A program of ours that is killed, and started again by the next round. */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"

const REPOSITORY = join(import.meta.dirname, "..", "..")

/** What Node is to run: the source, or what `npm run build` has made of it, as it is installed, which starts sooner. */
export function programOf(made: "source" | "compiled"): readonly string[] {
  const main = made === "source" ? join("src", "cli", "main.ts") : join("dist", "cli", "main.js")
  return ["--disable-warning=ExperimentalWarning", join(REPOSITORY, main)]
}

export class Victim {
  readonly #args: readonly string[]
  #running: ChildProcess | undefined

  /** `args`: for Node. */
  constructor(args: readonly string[]) {
    this.#args = args
    process.on("exit", () => this.#running?.kill("SIGKILL")) // whoever interrupts the run leaves nothing behind
  }

  /** Unless it runs already. In a group of its own: Ctrl-C is for the run, which ends it when the mail has come. */
  start(): void {
    const [command, args] = [process.execPath, this.#args]
    this.#running ??= spawn(command, args, { stdio: ["ignore", "ignore", "inherit"], detached: true })
  }

  /** Rejects if it had ended by itself. */
  async kill(): Promise<void> {
    const code = this.#running?.exitCode ?? undefined
    if (code !== undefined) throw new Error(`${this.#args.join(" ")} ended by itself with exit code ${code}`)
    await this.#end("SIGKILL")
  }

  /** At the end of a run, whatever has become of it. */
  stop(): Promise<void> {
    return this.#end("SIGTERM")
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (!running || running.exitCode !== null) return
    const exited = once(running, "exit")
    running.kill(signal)
    await exited
  }
}
