/**
 * Where friends look after their own mail in the queue: HTTP over TLS on the tunnel listener, known by its ALPN. Whoever comes with
 * the key of a friend's box is that friend; everybody else shows a token with each request (RFC 6750 §2.1). Nothing is
 * said to whom nobody knows but 401, and nobody can try many secrets.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { TLSSocket } from "node:tls"
import type { Clock } from "../clock/clock.ts"
import type { Log } from "../log/log.ts"
import { ipAddress } from "../names/ip-address.ts"
import { sourceOf } from "../net/admission.ts"
import { MinuteCount } from "../net/minute-count.ts"
import type { FriendName } from "../route/route.ts"
import type { QueueTokens } from "../store/queue-tokens.ts"
import type { MailQueue } from "./mail-queue.ts"
import { queuePage, type Caller, type Page } from "./queue-pages.ts"

export type DeskOptions = {
  readonly queue: MailQueue
  readonly tokens: QueueTokens
  /** Whether the configuration still has this friend. */
  readonly isFriend: (name: FriendName) => boolean
  readonly clock: Clock
  readonly log: Log
}

export type QueueDesk = {
  /** `box`: whose box's key was shown; `undefined`: nobody's. */
  accept(tls: TLSSocket, box: FriendName | undefined): void
  close(): void
}

/** Ours: wrong tokens of one source in a minute. */
export const WRONG_TOKENS_PER_MINUTE_MAX = 5
/** Ours: what one friend's programs may ask in a minute. */
export const REQUESTS_PER_MINUTE_MAX = 120
/** Ours: questions are short and asked one after the other. */
const SILENCE_MS = 10_000
const SESSION_MS = 60_000
const HEADER_BYTES_MAX = 8_192

/** `Bearer alice.SECRET`. */
const TOKEN = /^Bearer (?<friend>[a-z0-9-]{1,63})\.(?<secret>[A-Za-z0-9_-]{22})$/

export function queueDesk({ queue, tokens, isFriend, clock, log }: DeskOptions): QueueDesk {
  const boxes = new WeakMap<object, FriendName>()
  const wrong = new MinuteCount(clock)
  const requests = new MinuteCount(clock)

  const callerOf = async ({ headers, socket }: IncomingMessage): Promise<Caller | Page> => {
    const box = boxes.get(socket)
    if (box !== undefined) return { who: `${box}'s box`, friend: box }
    const source = sourceFrom(socket.remoteAddress)
    if (wrong.of(source) >= WRONG_TOKENS_PER_MINUTE_MAX) return TOO_MANY
    const { friend = "", secret = "" } = TOKEN.exec(headers.authorization ?? "")?.groups ?? {}
    if ((await tokens.isOf(friend, secret)) && isFriend(friend)) return { who: `${friend}, by token`, friend }
    wrong.add(source, WRONG_TOKENS_PER_MINUTE_MAX)
    log.warn("queue token refused", { client: socket.remoteAddress })
    return UNKNOWN
  }

  const answer = async (request: IncomingMessage): Promise<Page> => {
    const caller = await callerOf(request)
    if ("status" in caller) return caller
    if (!requests.add(caller.friend ?? "", REQUESTS_PER_MINUTE_MAX)) return TOO_MANY
    return (await queuePage(request, queue, caller)) ?? NO_PAGE
  }

  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, response) => {
    request.resume() // no page has use for a body
    answer(request).then(
      (page) => send(response, page),
      (error: unknown) => {
        log.error("queue desk failed", { why: String(error) })
        send(response, { status: 500, value: { wrong: "the relay's log says why" } })
      },
    )
  })
  server.setTimeout(SILENCE_MS)
  return {
    accept: (tls, box) => {
      if (box !== undefined) boxes.set(tls, box)
      tls.once(
        "close",
        clock.after(SESSION_MS, () => tls.destroy()),
      )
      server.emit("connection", tls) // the server never listens itself
    },
    close: () => server.closeAllConnections(),
  }
}

const UNKNOWN: Page = { status: 401, value: { wrong: "not known here" } }
const TOO_MANY: Page = { status: 429, value: { wrong: "too many at once; try again in a minute" } }
const NO_PAGE: Page = { status: 404, value: { wrong: "there is no such page" } }

function sourceFrom(address: string | undefined): string {
  const known = ipAddress(address ?? "")
  return known ? sourceOf(known) : ""
}

function send(response: ServerResponse, { status, value }: Page): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" })
  response.end(`${JSON.stringify(value)}\n`)
}
