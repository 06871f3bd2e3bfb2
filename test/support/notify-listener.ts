/** What systemd would be told: a datagram socket that says what came, and from which process. Python has them, Node has not. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { judgePath } from "./installed.ts"

export type Notification = { readonly pid: number; readonly lines: readonly string[] }
export type NotifyListener = AsyncDisposable & { readonly heard: readonly Notification[] }

const LISTEN = `
import json, socket, struct, sys
name = sys.argv[1]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind("\\0" + name[1:] if name.startswith("@") else name)
print("{}", flush=True)
while True:
    text, ancillary, _, _ = listener.recvmsg(4096, 1024)
    pids = [struct.unpack("3i", data[:12])[0] for _, kind, data in ancillary if kind == 2]  # SCM_CREDENTIALS
    print(json.dumps({"pid": pids[0], "lines": text.decode().split("\\n")}), flush=True)
`

/** `socket`: as NOTIFY_SOCKET. */
export async function listenForNotifications(socket: string): Promise<NotifyListener> {
  const child = spawn(judgePath("python3"), ["-c", LISTEN, socket], { stdio: ["ignore", "pipe", "inherit"] })
  const lines = createInterface(child.stdout)
  const ended = once(child, "exit")
  await Promise.race([once(lines, "line"), ended.then(() => Promise.reject(new Error("the listener ended")))])
  const heard: Notification[] = []
  lines.on("line", (line) => void heard.push(JSON.parse(line) as Notification)) // what it prints above
  return {
    heard,
    async [Symbol.asyncDispose]() {
      child.kill()
      await ended
    },
  }
}
