/**
 * The way in for the operator's own tools: HTTP with JSON over `control.sock` in the state folder. Who may use it is who
 * may open that file; it is on no network, so no browser gets there either. ask-control.ts is the other end.
 *
 *     GET  /queue?id=…&friend=…           what waits
 *     GET  /traffic                       what each friend's connections move
 *     POST /queue/hold?id=…&friend=…      and flush, release, delete
 */
import { once } from "node:events"
import { chmod, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { join } from "node:path"
import type { Log } from "../log/log.ts"
import { QUEUE_CHANGES, type Chosen, type MailQueue } from "./mail-queue.ts"
import type { Traffic } from "./traffic.ts"

export type Asked = { readonly queue: MailQueue; readonly traffic: Pick<Traffic, "all"> }

/**
 * Opens the socket; what a killed relay left there is replaced, because the spool's lock says that no other one runs.
 * Where it cannot be made (a path over 107 bytes, sun_path in unix(7)) the relay carries on without it and says so.
 */
export async function openControl(stateFolder: string, asked: Asked, log: Log): Promise<AsyncDisposable> {
  const path = controlPath(stateFolder)
  const server = createServer((request, response) => {
    answer(request, response, asked).catch((error: unknown) => {
      log.error("control failed", { url: request.url, why: String(error) })
      send(response, 500, { wrong: String(error) })
    })
  })
  try {
    await rm(path, { force: true })
    await once(server.listen(path), "listening")
    await chmod(path, OWNER_ONLY)
  } catch (error) {
    log.warn("no control socket", { path, why: String(error) })
  }
  return { [Symbol.asyncDispose]: () => close(server) }
}

export function controlPath(stateFolder: string): string {
  return join(stateFolder, "control.sock")
}

const OWNER_ONLY = 0o600

async function answer(request: IncomingMessage, response: ServerResponse, { queue, traffic }: Asked): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://control")
  const chosen: Chosen = { id: searchParams.get("id") ?? undefined, friend: searchParams.get("friend") ?? undefined }
  if (request.method === "GET" && pathname === "/queue") return send(response, 200, await queue.list(chosen))
  if (request.method === "GET" && pathname === "/traffic") return send(response, 200, traffic.all())
  const change = QUEUE_CHANGES.find((one) => pathname === `/queue/${one}`)
  if (request.method !== "POST" || change === undefined) return send(response, 404, { wrong: "there is no such page" })
  return send(response, 200, await queue.change(change, chosen))
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(`${JSON.stringify(value)}\n`)
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, "close")
  server.close()
  server.closeAllConnections()
  await closed
}
