/**
 * Reads what record.ts wrote. The question it answers is "did that process hold this text in the clear?", over whole
 * streams, so that a text cut into several packets is found all the same.
 */
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

/** One piece of one direction of one socket, as a line of JSON. */
export type Record = {
  /** Process, thread and number: the same for all pieces of a socket. */
  readonly id: string
  /** The process ended this TLS, so the bytes are decrypted ones. */
  readonly tls: boolean
  /** "address port"; empty for what is not a network connection (a pipe to the parent). */
  readonly remote: string
  readonly local: string
  readonly way: "in" | "out"
  readonly base64: string
}

/** One direction of one socket, whole. */
export type HeldStream = Omit<Record, "base64"> & { readonly bytes: Buffer }

/** What `node --import` is to be given, and the variable that names the file. */
export function recorderArguments(): readonly string[] {
  const own = fileURLToPath(import.meta.url)
  return [
    "--disable-warning=DEP0199",
    "--import",
    new URL(`./record${own.slice(own.lastIndexOf("."))}`, import.meta.url).href,
  ]
}

export const RECORDING_VARIABLE = "WAYPOST_RECORDING"

/** Everything in the file so far; a last line that is still being written is left out. */
export async function readRecording(file: string): Promise<readonly HeldStream[]> {
  const lines = (await readFile(file, "latin1")).split("\n").slice(0, -1)
  const streams = new Map<string, { about: Omit<Record, "base64">; pieces: Buffer[] }>()
  for (const line of lines) {
    const { base64, ...about } = JSON.parse(line) as Record // written by record.ts, one whole line at a time
    const key = `${about.id} ${about.way}`
    const stream = streams.get(key) ?? { about, pieces: [] }
    stream.pieces.push(Buffer.from(base64, "base64"))
    streams.set(key, stream)
  }
  return [...streams.values()].map(({ about, pieces }) => ({ ...about, bytes: Buffer.concat(pieces) }))
}

/** The streams that contain the text. Empty: the process never held it in the clear on a socket. */
export function streamsWith(streams: readonly HeldStream[], text: string): readonly HeldStream[] {
  return streams.filter((stream) => stream.bytes.includes(text))
}
