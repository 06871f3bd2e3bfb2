/**
 * The way in for the operator's own tools: HTTP with JSON over `control.sock` in the state folder. Who may use it is who
 * may open that file; it is on no network, so no browser gets there either. ask-control.ts is the other end.
 *
 *     GET /traffic       what each friend's connections move
 *     GET /senders       how senders come to ports that friends share
 *     …   /queue…        queue-pages.ts
 */
import { once } from "node:events"
import { chmod, rm } from "node:fs/promises"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { join } from "node:path"
import type { Log } from "../log/log.ts"
import type { MailQueue } from "./mail-queue.ts"
import type { PreludeAccounts } from "./prelude-accounts.ts"
import { queuePage, type Caller } from "./queue-pages.ts"
import type { Traffic } from "./traffic.ts"

export type Asked = {
  readonly queue: MailQueue
  readonly traffic: Pick<Traffic, "all">
  readonly preludes: Pick<PreludeAccounts, "all">
}

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

/** Who asks here, for the audit trail. */
const OPERATOR: Caller = { who: "the operator", friend: undefined }

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { queue, traffic, preludes }: Asked,
): Promise<void> {
  if (request.method === "GET" && request.url === "/traffic") return send(response, 200, traffic.all())
  if (request.method === "GET" && request.url === "/senders") return send(response, 200, preludes.all())
  const page = await queuePage(request, queue, OPERATOR)
  return send(response, page?.status ?? 404, page ? page.value : { wrong: "there is no such page" })
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
