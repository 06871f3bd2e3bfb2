/**
 * A running relay gives its place to a new process of the same command: the program as it is on disk now, with the same
 * file. The two share the listening sockets, so nobody is refused: the new one accepts beside the old one, says so, and
 * only then does the old one stop accepting. If the new one does not get that far, nothing has changed.
 *
 * The new process finds the sockets as descriptors from 3 on, and what else it has to know in its environment. On the
 * channel between them it says `listening`; the old one closes the channel when the state folder is free.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import type { Log } from "../log/log.ts"
import { descriptorsFrom, givenBySystemd, GivenSockets } from "../net/given-sockets.ts"
import type { Inherited } from "../relay/inherited.ts"
import type { Legacy, Relay } from "../relay/relay.ts"

/** Ours: loading, checking and binding take a second; a busy machine takes longer. */
const START_MS_MAX = 60_000
const VARIABLE = "WAYPOST_TAKES_OVER"

type Told = { readonly sockets: number; readonly boxes: readonly string[] }

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
      const successor = await startSuccessor(relay.legacy)
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
async function startSuccessor({ descriptors, boxes }: Legacy): Promise<Successor> {
  const told: Told = { sockets: descriptors.length, boxes }
  const [, ...words] = process.argv
  const child = spawn(process.execPath, [...process.execArgv, ...words], {
    stdio: ["inherit", "inherit", "inherit", ...descriptors, "ipc"],
    env: { ...process.env, [VARIABLE]: JSON.stringify(told) },
  })
  const why = await whyNot(child)
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

/** `undefined`: it listens. */
async function whyNot(child: ChildProcess): Promise<string | undefined> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), START_MS_MAX)
  try {
    return await Promise.race([
      once(child, "message", { signal: late.signal }).then(() => undefined),
      once(child, "exit").then(([code, signal]) => `the new process ended with ${code ?? signal}`),
    ])
  } catch (error) {
    return late.signal.aborted ? `the new process did not listen within ${START_MS_MAX / 1000} s` : String(error)
  } finally {
    clearTimeout(timer)
  }
}

/** What this process was started with; `undefined`: nothing. Programs that it starts do not see it again. */
export function inheritance(): Inherited | undefined {
  const { [VARIABLE]: text, ...environment } = process.env
  const given = givenBySystemd(environment, process.pid)
  for (const name of [VARIABLE, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete process.env[name]
  if (text === undefined || !process.channel) {
    return given.length > 0 ? { sockets: new GivenSockets(given) } : undefined
  }
  const { sockets, boxes } = JSON.parse(text) as Told // what startSuccessor wrote
  const stateFree = new Promise<void>((resolve) => process.once("disconnect", resolve))
  process.channel.unref()
  return { sockets: new GivenSockets(descriptorsFrom(sockets)), predecessor: { boxes, stateFree } }
}

/** Tells the relay before this one, if there is one, that this one has taken its place. */
export function sayListening(): void {
  process.send?.("listening")
}
