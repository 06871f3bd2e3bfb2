/**
 * The way in for the operator's own tools: HTTP with JSON over `control.sock` in the state folder. Who may use it is who
 * may open that file; it is on no network, so no browser gets there either. ask-control.ts is the other end.
 *
 *     GET  /queue?id=…&friend=…           what waits
 *     GET  /queue/audit?id=…&friend=…     who changed it
 *     GET  /traffic                       what each friend's connections move
 *     POST /queue/hold?id=…&friend=…      and flush, release, delete; redirect with to=…, refuse with reason=…
 *
 * A fault comes back as 409 with its code and detail.
 */
import { once } from "node:events"
import { chmod, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { join } from "node:path"
import { FaultError } from "../faults/faults.ts"
import type { Log } from "../log/log.ts"
import type { Chosen, MailQueue } from "./mail-queue.ts"
import { QUEUE_CHANGES, type QueueChange } from "./queue-change.ts"
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
      if (error instanceof FaultError) return send(response, 409, error.fault)
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
/** Who asks here, for the audit trail. */
const OPERATOR = "the operator"

async function answer(request: IncomingMessage, response: ServerResponse, { queue, traffic }: Asked): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://control")
  const chosen: Chosen = { id: searchParams.get("id") ?? undefined, friend: searchParams.get("friend") ?? undefined }
  if (request.method === "GET" && pathname === "/queue") return send(response, 200, await queue.list(chosen))
  if (request.method === "GET" && pathname === "/queue/audit") return send(response, 200, await queue.audit(chosen))
  if (request.method === "GET" && pathname === "/traffic") return send(response, 200, traffic.all())
  const change = request.method === "POST" ? changeIn(pathname, searchParams) : undefined
  if (!change) return send(response, 404, { wrong: "there is no such page" })
  return send(response, 200, await queue.change(change, chosen, OPERATOR))
}

/** What is asked for, with all that it needs. What ends or sends away mail is about one message at a time. */
function changeIn(pathname: string, given: URLSearchParams): QueueChange | undefined {
  const how = QUEUE_CHANGES.find((one) => pathname === `/queue/${one}`)
  if (how === undefined) return undefined
  if (how !== "redirect" && how !== "refuse") return { how }
  if (!given.has("id")) return undefined
  if (how === "refuse") return { how, reason: given.get("reason") ?? "" }
  const to = given.get("to")
  return to === null ? undefined : { how, to }
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
