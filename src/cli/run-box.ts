/** Runs a box until it is told to stop, and keeps its status where `waypost box status` finds it. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { startBox, type Box, type RelayStatus } from "../box/box.ts"
import { systemClock } from "../clock/clock.ts"
import { fired } from "../clock/grace.ts"
import type { DirectStatus } from "../box/direct.ts"
import type { BoxConfig } from "../config/box-config.ts"
import type { AgeRecipient } from "../names/age-recipient.ts"
import type { SocketAddress } from "../names/endpoint.ts"
import type { Log } from "../log/log.ts"

/** Ours: how old a status may be before it is taken for that of a box that no longer runs. */
export const STATUS_FRESH_MS = 15_000
const STATUS_EVERY_MS = 5_000

export type SavedStatus = {
  readonly at: number
  readonly relays: readonly RelayStatus[]
  readonly direct: readonly DirectStatus[]
  /** Where programs ask for connections to the outside; `undefined`: nowhere. */
  readonly outgoing: SocketAddress | undefined
  /** Whom relays are to seal kept mail to; `undefined` while the box starts. */
  readonly sealTo: AgeRecipient | undefined
}

type Running = Pick<Box, "status" | "direct" | "outgoing"> & Pick<SavedStatus, "sealTo">

export async function runBox(config: BoxConfig, log: Log, stop: AbortSignal): Promise<void> {
  await mkdir(config.state, { recursive: true, mode: 0o700 })
  let saved = Promise.resolve()
  let running: Running = { status: () => [], direct: () => [], outgoing: undefined, sealTo: undefined }
  const saveAgain = () => {
    saved = saved.then(() => save(config, running, log)) // in turn: what is written last is the newest
  }
  const box = await startBox(config, { clock: systemClock, log, dice: Math.random, changed: saveAgain })
  running = box
  const saving = setInterval(saveAgain, STATUS_EVERY_MS)
  await fired(stop)
  clearInterval(saving)
  await box.stop()
  await saved
}

/** What the running box said last; `undefined` if none has run here. */
export async function savedStatus(config: BoxConfig): Promise<SavedStatus | undefined> {
  try {
    return JSON.parse(await readFile(statusFile(config), "utf8")) as SavedStatus // our own file
  } catch {
    return undefined
  }
}

async function save(config: BoxConfig, box: Running, log: Log): Promise<void> {
  const { outgoing, sealTo } = box
  const status: SavedStatus = { at: systemClock.now(), relays: box.status(), direct: box.direct(), outgoing, sealTo }
  try {
    const draft = `${statusFile(config)}.new`
    await writeFile(draft, JSON.stringify(status), { mode: 0o600 })
    await rename(draft, statusFile(config)) // who reads it finds all of it
  } catch (error) {
    log.warn("status not saved", { why: String(error) })
  }
}

function statusFile({ state }: BoxConfig): string {
  return join(state, "status.json")
}
