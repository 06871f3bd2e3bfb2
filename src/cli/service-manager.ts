/**
 * Tells systemd how this process is (Type=notify, sd_notify(3)), where it was started by it. What cannot be told is a line
 * in the log and nothing worse: the service manager then sees a process that is slow to start.
 */
import type { Log } from "../log/log.ts"
import { notifyTo, type Notify } from "../net/notify-socket.ts"

export type ServiceManager = {
  /** Serves. Also once a reload is over. */
  ready(status: string): Promise<void>
  reloading(): Promise<void>
  stopping(): Promise<void>
  /** From here on that process is the service, and this one says no more. */
  replacedBy(pid: number): Promise<void>
}

/** `socket`: NOTIFY_SOCKET; `undefined`: nobody wants to know. */
export function serviceManager(log: Log, socket = process.env["NOTIFY_SOCKET"]): ServiceManager {
  const notify = socket ? notifyTo(socket) : undefined
  const tell: Notify = async (lines) => {
    try {
      await notify?.(lines)
    } catch (error) {
      log.warn("service manager not told", { what: lines[0], why: String(error) })
    }
  }
  return {
    ready: (status) => tell(["READY=1", `STATUS=${status}`]),
    // systemd matches the READY=1 that follows by this time (sd_notify(3)): CLOCK_MONOTONIC, as hrtime is.
    reloading: () => tell(["RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`]),
    stopping: () => tell(["STOPPING=1", "STATUS=ending what is under way"]),
    replacedBy: (pid) => tell([`MAINPID=${pid}`, `STATUS=process ${pid} has taken over`]),
  }
}
