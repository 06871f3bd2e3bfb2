/**
 * A running relay gives its place to a new process of the same command: the program as it is on disk now, with the same
 * file. The two share the listening sockets, so nobody is refused: the new one accepts beside the old one, says so, and
 * only then does the old one stop accepting. If the new one does not get that far, nothing has changed.
 *
 * The new process finds the sockets as descriptors from 3 on; their number is in its environment. On the channel between them
 * it asks for `boxes` and is told whose are attached, and says `listening`; the old one closes the channel when the
 * state folder is free.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import type { Log } from "../log/log.ts"
import { descriptorsFrom, givenBySystemd, GivenSockets } from "../net/given-sockets.ts"
import type { Inherited } from "../relay/inherited.ts"
import type { Relay } from "../relay/relay.ts"

/** Ours: loading, checking and binding take a second; a busy machine takes longer. */
const START_MS_MAX = 60_000
const VARIABLE = "WAYPOST_TAKES_OVER"

type Said = "boxes" | "listening"

export type Listening = { readonly pid: number; readonly stateFree: () => void }
type Successor = ({ readonly kind: "listening" } & Listening) | { readonly kind: "failed"; readonly why: string }

/** Starts a successor at every SIGUSR2, one after the other, until one listens: resolves then. */
export function successorAtSignal(relay: Pick<Relay, "settled" | "legacy" | "stay">, log: Log): Promise<Listening> {
  return new Promise((resolve) => {
    let trying = false
    const tryOne = async (): Promise<void> => {
      if (trying) return
      trying = true
      await relay.settled() // a box that is on its way here would be nobody's, and its visitors turned away
      const successor = await startSuccessor(relay)
      if (successor.kind === "listening") {
        process.off("SIGUSR2", asked).on("SIGUSR2", () => {})
        return resolve(successor)
      }
      await relay.stay()
      log.error("not replaced", { why: successor.why })
      trying = false
    }
    const asked = (): void => void tryOne()
    process.on("SIGUSR2", asked)
  })
}

/** Starts the process that follows this one; resolves when it listens, or will not. */
async function startSuccessor(relay: Pick<Relay, "legacy">): Promise<Successor> {
  const { descriptors } = relay.legacy
  const [, ...words] = process.argv
  const child = spawn(process.execPath, [...process.execArgv, ...words], {
    stdio: ["inherit", "inherit", "inherit", ...descriptors, "ipc"],
    env: { ...process.env, [VARIABLE]: String(descriptors.length) },
  })
  const why = await whyNot(child, () => relay.legacy.boxes)
  if (why === undefined) {
    child.unref()
    return { kind: "listening", pid: child.pid ?? 0, stateFree: () => child.connected && child.disconnect() }
  }
  await ended(child)
  return { kind: "failed", why }
}

/** Whatever it has begun to change, it changes no more. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGKILL")
  await gone
}

/** `undefined`: it listens. `boxes`: whose are attached to this relay. */
function whyNot(child: ChildProcess, boxes: () => readonly string[]): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const late = setTimeout(() => resolve(`the new process did not listen within ${START_MS_MAX / 1000} s`), START_MS_MAX)
  child.on("message", (said: Said) => {
    if (said === "listening") resolve(undefined)
    else child.send([...boxes()], () => {}) // who has ended meanwhile hears nothing
  })
  child.once("exit", (code, signal) => resolve(`the new process ended with ${code ?? signal}`))
  child.once("error", (error) => resolve(String(error)))
  return promise.finally(() => clearTimeout(late))
}

/** What this process was started with; `undefined`: nothing. Programs that it starts do not see it again. */
export function inheritance(): Inherited | undefined {
  const { [VARIABLE]: text, ...environment } = process.env
  const given = givenBySystemd(environment, process.pid)
  for (const name of [VARIABLE, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete process.env[name]
  if (text === undefined || !process.channel) {
    return given.length > 0 ? { sockets: new GivenSockets(given) } : undefined
  }
  const stateFree = new Promise<void>((resolve) => process.once("disconnect", resolve))
  process.channel.unref()
  const sockets = new GivenSockets(descriptorsFrom(Number(text))) // what startSuccessor wrote
  return { sockets, predecessor: { boxes: () => askBoxes(stateFree), stateFree } }
}

/** None if the relay before this one is gone. */
function askBoxes(gone: Promise<void>): Promise<readonly string[]> {
  const answered = new Promise<readonly string[]>((resolve) => {
    process.once("message", (boxes) => resolve(boxes as string[])) // what whyNot sends
  })
  process.channel?.ref()
  say("boxes")
  return Promise.race([answered, gone.then(() => [])]).finally(() => process.channel?.unref())
}

/** Tells the relay before this one, if there is one, that this one has taken its place. */
export function sayListening(): void {
  say("listening")
}

function say(word: Said): void {
  process.send?.(word, () => {}) // who is gone hears nothing, and "disconnect" tells
}
