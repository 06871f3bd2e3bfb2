/** One of Carol's mail hosts: sends as fast as it is answered, several messages over a connection, and survives the relay. */
import { connect, type Socket } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import type { Ledger } from "./ledger.ts"

/** Ours: half of all mail is about this long; every tenth message is larger than one piece of the spool. */
const BODY_BYTES = [1_000, 5_000, 1_000, 10_000, 1_000, 1_000, 5_000, 1_000, 10_000, 100_000]
/** Ours: how soon a sender comes back to a relay that is not there. */
const COME_BACK_MS = 20
const MESSAGES_PER_CONNECTION = 20

/** `pauseMs`: what a sender waits between his messages. */
export async function sendUntil(signal: AbortSignal, port: number, ledger: Ledger, pauseMs = 0): Promise<void> {
  while (!signal.aborted) {
    await oneConnection(signal, port, ledger, pauseMs)
    await delay(COME_BACK_MS)
  }
}

async function oneConnection(signal: AbortSignal, port: number, ledger: Ledger, pauseMs: number): Promise<void> {
  const dialogue = new Dialogue(connect(port, "127.0.0.1"))
  try {
    await dialogue.expect("220")
    await dialogue.says("EHLO mx.sender.example", "250")
    for (let sent = 0; sent < MESSAGES_PER_CONNECTION && !signal.aborted; sent++) {
      const id = ledger.next()
      await dialogue.says("MAIL FROM:<carol@sender.example>", "250")
      await dialogue.says("RCPT TO:<dave@dave.example>", "250")
      await dialogue.says("DATA", "354")
      await dialogue.says(`${messageOf(id, BODY_BYTES[sent % BODY_BYTES.length] ?? 0)}\r\n.`, "250")
      ledger.acknowledge(id)
      if (pauseMs > 0) await delay(pauseMs)
    }
  } catch (error) {
    if (!(error instanceof Unfinished)) throw error // a relay that was killed promised nothing more
  } finally {
    dialogue.close()
  }
}

function messageOf(id: string, bodyBytes: number): string {
  const line = "Meet me at noon, under the clock, and bring the book with you.\r\n"
  return `From: carol@sender.example\r\nX-Ledger: ${id}\r\n\r\n${line.repeat(Math.ceil(bodyBytes / line.length))}`.trimEnd()
}

/** The relay went away, or would not take the message now. */
class Unfinished extends Error {}

class Dialogue {
  readonly #socket: Socket
  #unread = ""
  #closed = false
  #changed = (): void => {}

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setEncoding("latin1")
    socket.on("data", (piece: string) => {
      this.#unread += piece
      this.#changed()
    })
    socket.on("error", () => {}) // `close` follows
    socket.on("close", () => {
      this.#closed = true
      this.#changed()
    })
  }

  says(line: string, code: string): Promise<void> {
    this.#socket.write(`${line}\r\n`)
    return this.expect(code)
  }

  /** Waits for one whole reply. */
  async expect(code: string): Promise<void> {
    for (;;) {
      const reply = /^(?:\d{3}-.*\r\n)*\d{3} .*\r\n/.exec(this.#unread)?.[0]
      if (reply !== undefined) {
        this.#unread = this.#unread.slice(reply.length)
        if (reply.startsWith(code)) return
        if (reply.startsWith("4")) throw new Unfinished(reply)
        throw new Error(`expected ${code}, heard ${reply}`)
      }
      if (this.#closed) throw new Unfinished("closed")
      await new Promise<void>((resolve) => (this.#changed = resolve))
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}
