/** Builds ClientHellos, right and wrong ones: each part of RFC 8446 §4.1.2 may be given, lengths included. */

export type HelloParts = {
  readonly type?: number
  readonly version?: number
  readonly sessionId?: Buffer
  readonly ciphers?: Buffer
  readonly compressions?: Buffer
  /** `undefined`: the hello ends before the extension block. */
  readonly extensions?: readonly Buffer[] | undefined
  /** After everything else, still inside the message. */
  readonly trailing?: Buffer
}

/** A whole handshake message: header and body. */
export function clientHello(parts: HelloParts = {}): Buffer {
  const extensions = "extensions" in parts ? parts.extensions : [serverName("alice.example")]
  const body = Buffer.concat([
    u16(parts.version ?? 0x0303),
    Buffer.alloc(32, 0x5a),
    block(1, parts.sessionId ?? Buffer.alloc(0)),
    block(2, parts.ciphers ?? bytes("1301 1302 c02f")),
    block(1, parts.compressions ?? bytes("00")),
    extensions ? block(2, ...extensions) : Buffer.alloc(0),
    parts.trailing ?? Buffer.alloc(0),
  ])
  return Buffer.concat([Buffer.of(parts.type ?? 1), block(3, body)])
}

export function extension(type: number, ...content: readonly Buffer[]): Buffer {
  return Buffer.concat([u16(type), block(2, ...content)])
}

/** A server_name extension (RFC 6066 §3) with these names of type host_name, each character one byte. */
export function serverName(...names: readonly string[]): Buffer {
  return extension(0, block(2, ...names.map((name) => nameOfType(0, name))))
}

export function nameOfType(type: number, name: string): Buffer {
  return Buffer.concat([Buffer.of(type), block(2, Buffer.from(name, "latin1"))])
}

export function alpn(...protocols: readonly string[]): Buffer {
  return extension(16, block(2, ...protocols.map((protocol) => block(1, Buffer.from(protocol, "latin1")))))
}

/** One record: of type handshake unless said otherwise. */
export function record(content: Buffer, { type = 22, version = 0x0301 } = {}): Buffer {
  return Buffer.concat([Buffer.of(type), u16(version), block(2, content)])
}

/** The message cut at these offsets, each piece in a record of its own. */
export function cutAt(message: Buffer, ...offsets: readonly number[]): Buffer {
  const edges = [0, ...offsets, message.length]
  return Buffer.concat(edges.slice(1).map((edge, index) => record(message.subarray(edges[index], edge))))
}

/** The message in records of this size at most. */
export function cutEvery(message: Buffer, sizeBytes: number): Buffer {
  const offsets = Array.from(
    { length: Math.ceil(message.length / sizeBytes) - 1 },
    (_, index) => (index + 1) * sizeBytes,
  )
  return cutAt(message, ...offsets)
}

/** Content behind its own length of one, two or three bytes. */
export function block(lengthBytes: 1 | 2 | 3, ...content: readonly Buffer[]): Buffer {
  const joined = Buffer.concat(content)
  const length = Buffer.alloc(lengthBytes)
  length.writeUIntBE(joined.length, 0, lengthBytes)
  return Buffer.concat([length, joined])
}

export function u16(number: number): Buffer {
  return Buffer.of(number >> 8, number & 0xff)
}

/** Bytes from hexadecimal digits; white space is for the reader. */
export function bytes(hex: string): Buffer {
  return Buffer.from(hex.replace(/\s/g, ""), "hex")
}
