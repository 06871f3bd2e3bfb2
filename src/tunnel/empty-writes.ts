/**
 * Keeps empty writes from HTTP/2 streams. Where several writes are handed over together and the last is empty, as
 * node:http does at the end of a request, Node (24.21.0) counts them as done before the socket has them, gives their
 * memory back, and sends what lies there by then: the first bytes become those of something else.
 */
import type { Duplex } from "node:stream"

/** The same stream; what is empty is done at once and goes no further. */
export function withoutEmptyWrites<Stream extends Duplex>(stream: Stream): Stream {
  const write = stream._write.bind(stream)
  const writeAll = stream._writev?.bind(stream)
  stream._write = (chunk: string | Uint8Array, encoding, done) => {
    if (chunk.length === 0) done()
    else write(chunk, encoding, done)
  }
  stream._writev = (chunks: readonly Piece[], done) => {
    const full = chunks.filter(({ chunk }) => chunk.length > 0)
    if (full.length === 0) done()
    else writeAll?.(full, done)
  }
  return stream
}

type Piece = { readonly chunk: string | Uint8Array; readonly encoding: BufferEncoding }
