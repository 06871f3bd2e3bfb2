/** Takes a MIME message apart, strictly: header fields, parts, contents decoded. As much as a notice needs. */

export type MimePart = {
  /** The value of the only field with this name; unfolded. */
  header(name: string): string | undefined
  readonly parts: readonly MimePart[]
  /** Decoded, as UTF-8. */
  text(): string
}

export function readMime(bytes: Uint8Array): MimePart {
  return readPart(Buffer.from(bytes).toString("latin1"))
}

function readPart(source: string): MimePart {
  const end = source.indexOf("\r\n\r\n")
  const fields = source
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, " ")
    .split("\r\n")
  const body = source.slice(end + 4)
  const header = (name: string): string | undefined => {
    const found = fields.filter((field) => field.toLowerCase().startsWith(`${name}:`))
    if (found.length > 1) throw new Error(`${name} stands there ${found.length} times`)
    return found[0] && utf8(found[0].slice(name.length + 1).trim())
  }
  const boundary = /boundary="(?<boundary>[^"]+)"/.exec(header("content-type") ?? "")?.groups?.["boundary"]
  return {
    header,
    parts: boundary === undefined ? [] : partsOf(body, boundary),
    text: () => (header("content-transfer-encoding") === "quoted-printable" ? utf8(unquoted(body)) : utf8(body)),
  }
}

function partsOf(body: string, boundary: string): MimePart[] {
  const pieces = `\r\n${body}`.split(`\r\n--${boundary}`)
  if (!pieces.at(-1)?.startsWith("--")) throw new Error("the last boundary is missing")
  return pieces.slice(1, -1).map((piece) => readPart(piece.replace(/^\r\n/, "")))
}

function unquoted(text: string): string {
  const lines = text.replace(/=\r\n/g, "")
  return lines.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString()
}
