/**
 * Bytes as Latin-1 text, one character for each. The same few names come again and again: a text that was made lately is
 * found by its bytes, which costs less than to make it, and leaves nothing to be collected.
 */

/** Ours: longer ones are made anew; names are shorter, and a stranger's long ones are not worth keeping. */
const KEPT_BYTES_MAX = 64
/** Ours: remembered texts. */
const KEPT_MAX = 4096
const kept = new Map<number, string>()

/** The bytes from `from` to before `to`. */
export function latin1(bytes: Uint8Array, from: number, to: number): string {
  if (to - from > KEPT_BYTES_MAX) return made(bytes, from, to)
  const key = digest(bytes, from, to)
  const known = kept.get(key)
  if (known !== undefined && says(known, bytes, from, to)) return known
  const text = made(bytes, from, to)
  if (kept.size >= KEPT_MAX) kept.clear()
  kept.set(key, text) // in the place of another with the same digest
  return text
}

function made(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString("latin1")
}

/** FNV-1a. It only says where to look. */
function digest(bytes: Uint8Array, from: number, to: number): number {
  let digest = 0x811c9dc5
  for (let at = from; at < to; at++) digest = Math.imul(digest ^ (bytes[at] ?? 0), 0x01000193)
  return digest
}

function says(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false
  for (let at = from; at < to; at++) if (text.charCodeAt(at - from) !== bytes[at]) return false
  return true
}
