/** Domain names on the wire (RFC 1035 §3.1, §4.1.4), with compression read and never written. Pure. */

/** RFC 1035 §2.3.4. */
const NAME_BYTES_MAX = 255
const LABEL_BYTES_MAX = 63
/** Ours: a name of 255 octets has at most 127 labels, so more jumps than that are a loop. */
const POINTERS_MAX = 127

/** A name at `at`: its text in lower case without the final dot, and where it ends. `undefined` if it is malformed. */
export function readName(message: Uint8Array, at: number): { readonly name: string; readonly end: number } | undefined {
  const labels: string[] = []
  let end: number | undefined
  let bytes = 1
  for (let jumps = 0; jumps <= POINTERS_MAX;) {
    const length = message[at]
    if (length === undefined) return undefined
    if (length === 0) return { name: labels.join("."), end: end ?? at + 1 }
    if (length >= 0xc0) {
      const low = message[at + 1]
      if (low === undefined) return undefined
      end ??= at + 2
      const target = (length & 0x3f) * 0x100 + low
      if (target >= at) return undefined // RFC 1035 §4.1.4: a pointer leads to a *prior* occurrence
      at = target
      jumps += 1
      continue
    }
    bytes += length + 1
    const label = message.subarray(at + 1, at + 1 + length)
    if (length > LABEL_BYTES_MAX || label.length < length || bytes > NAME_BYTES_MAX) return undefined
    labels.push(labelText(label))
    at += 1 + length
  }
  return undefined
}

/** A dot inside a label is written as RFC 1035 §5.1 has it, so that it never looks like two labels. */
function labelText(label: Uint8Array): string {
  return Buffer.from(label).toString("latin1").toLowerCase().replaceAll(/[.\\]/g, "\\$&")
}

/** The wire form of a host or service name; `undefined` if a label is empty or too long. */
export function nameBytes(name: string): Uint8Array | undefined {
  if (name === "") return Uint8Array.of(0)
  const labels = name.split(".").map((label) => Buffer.from(label, "latin1"))
  if (labels.some((label) => label.length === 0 || label.length > LABEL_BYTES_MAX)) return undefined
  const wire = Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)])
  return wire.length <= NAME_BYTES_MAX ? wire : undefined
}
