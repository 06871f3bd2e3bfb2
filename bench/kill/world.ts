/** A relay, the box if there is to be one, and the mail server behind them, in a folder that is removed with them. */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { accepts, freePort } from "../../test/support/program.ts"
import { boxIsUp, joinedBox, relayFile, type Home } from "./home.ts"
import type { Ledger } from "./ledger.ts"
import { openSink } from "./sink.ts"
import { Victim } from "./victim.ts"

export type World = AsyncDisposable & {
  readonly relay: Victim
  readonly box: Victim | undefined
  /** Where senders find the relay. */
  readonly port: number
  /** Starts what does not run. The function that it gives resolves when all of it is at work; rejects when it is not in time. */
  begin(): () => Promise<void>
}

/** Ours: a start takes a second; what takes so much longer on a busy machine has failed. */
const READY_MS_MAX = 180_000

/** `program`: Waypost, for Node. */
export async function openWorld(home: Home, program: readonly string[], ledger: Ledger): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "waypost-kill-"))
  const sink = await openSink(ledger)
  const port = await freePort()
  const ports = { smtp: port, tunnel: await freePort(), sink: sink.port }
  await writeFile(join(folder, "relay.yaml"), relayFile(folder, home, ports))
  const relay = new Victim([...program, "relay", "--config", join(folder, "relay.yaml")])
  const listens = () => until("the relay does not listen", () => accepts(port))
  relay.start()
  await listens()
  const box = home === "box" ? await joinedBox(program, folder, ports) : undefined
  return {
    relay,
    box,
    port,
    begin: () => {
      const since = Date.now()
      relay.start()
      box?.start()
      return async () => {
        await listens()
        if (box) await until("the box is not attached", () => boxIsUp(folder, since))
      }
    },
    async [Symbol.asyncDispose]() {
      await relay.stop()
      await box?.stop()
      await sink[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

async function until(otherwise: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const since = performance.now(); performance.now() - since < READY_MS_MAX; await delay(20)) {
    if (await isSo()) return
  }
  throw new Error(`${otherwise} after ${READY_MS_MAX / 1000} s`)
}
