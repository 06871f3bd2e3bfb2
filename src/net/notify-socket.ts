/** Tells a service manager something over its datagram socket (sd_notify(3)). Node has no such sockets; the native addon has. */
import { execFile } from "node:child_process"
import { getSystemErrorMessage, promisify } from "node:util"
import { loadAddon } from "./native/addon.ts"

/** Sends `lines`, which are assignments as READY=1. Rejects with why they could not be sent. */
export type Notify = (lines: readonly string[]) => Promise<void>

/** `socket`: NOTIFY_SOCKET, a path or an abstract name behind `@`. */
export function notifyTo(socket: string): Notify {
  const loaded = loadAddon()
  if (loaded.kind === "missing") return bySystemd(socket)
  return async (lines) => {
    const errno = loaded.addon.notify(Buffer.from(socket), Buffer.from(lines.join("\n")))
    if (errno !== 0) throw new Error(getSystemErrorMessage(-errno))
  }
}

/** A program of its own speaks for us, so the unit has to say NotifyAccess=all. One after the other: order means something. */
function bySystemd(socket: string): Notify {
  let last: Promise<unknown> = Promise.resolve()
  return async (lines) => {
    const env = { ...process.env, NOTIFY_SOCKET: socket }
    const said = last.then(() => promisify(execFile)("systemd-notify", ["--", ...lines], { env }))
    last = said.catch(() => {}) // told to whoever asked for it
    await said
  }
}
