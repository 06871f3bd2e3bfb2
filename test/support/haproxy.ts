/** An HAProxy of our own in front of a relay, or in its place: it passes TCP on (or HTTP), and says who the visitor is. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { freePort, scratchFolder, startProgram } from "./program.ts"

export type Haproxy = AsyncDisposable & { readonly port: number }

/** `server`: what stands behind the backend's address: `send-proxy`, `send-proxy-v2`, `source 127.0.0.66`. */
export async function startHaproxy(backend: string, server: string, mode: "tcp" | "http" = "tcp"): Promise<Haproxy> {
  await using undo = new AsyncDisposableStack()
  const { path } = undo.use(await scratchFolder())
  const port = await freePort()
  const file = join(path, "haproxy.cfg")
  await writeFile(
    file,
    `defaults
  mode ${mode}
  timeout client 60s
  timeout server 60s
  timeout connect 60s
listen front
  bind 127.0.0.1:${port}
  server relay ${backend} ${server}
`,
  )
  undo.use(await startProgram("haproxy", ["-db", "-f", file], port))
  const closing = undo.move()
  return { port, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}
