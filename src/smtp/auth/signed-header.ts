/**
 * What of a message is given to the verifier of signatures: all of the body, as it comes, and a header section that is
 * neither endless nor full of signatures. Each signature may want a hash of the body of its own, so their number is what
 * a message costs.
 */

/** Ours: honest header sections have some thousand bytes; every one is in memory while it is read. */
export const HEADER_BYTES_MAX = 256 * 1024
/** Ours, as RFC 6376 §6.1 allows: signatures that are looked at, from the top; the rest is as if it were not there. */
export const SIGNATURES_MAX = 8

export class HeaderTooLong extends Error {}

/** Throws HeaderTooLong. Lines end in CRLF. */
export async function* verifiable(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let header: Buffer | undefined = Buffer.alloc(0)
  for await (const piece of content) {
    if (!header) {
      yield piece
      continue
    }
    header = Buffer.concat([header, piece])
    const end = headerEnd(header)
    if (end === undefined && header.length <= HEADER_BYTES_MAX) continue
    if (end === undefined || end > HEADER_BYTES_MAX) throw new HeaderTooLong(`more than ${HEADER_BYTES_MAX} bytes`)
    yield fewSignatures(header.subarray(0, end))
    yield header.subarray(end)
    header = undefined
  }
  if (header) yield fewSignatures(header)
}

/** Where the header section ends, its empty line included. */
function headerEnd(bytes: Buffer): number | undefined {
  if (bytes.toString("latin1", 0, 2) === "\r\n") return 2
  const end = bytes.indexOf("\r\n\r\n")
  return end < 0 ? undefined : end + 4
}

/** Without the signatures that are too many. */
function fewSignatures(header: Buffer): Buffer {
  const fields = header.toString("latin1").split(/(?<=\r\n)(?![ \t])/)
  let signatures = 0
  const kept = fields.filter((field) => !/^dkim-signature[ \t]*:/i.test(field) || ++signatures <= SIGNATURES_MAX)
  return signatures <= SIGNATURES_MAX ? header : Buffer.from(kept.join(""), "latin1")
}
