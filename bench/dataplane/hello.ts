/** ClientHellos as browsers send them, with a server name of ours: a common one, and one with a post-quantum key share. */
import { alpn, block, bytes, clientHello, extension, record, serverName, u16 } from "../../test/support/hello.ts"

export type HelloKind = "standard" | "post-quantum"

/** RFC 7685: browsers fill their hellos up to this, because some old servers stumble over shorter ones. */
const PADDED_BYTES = 517
const PADDING = 21
const X25519 = 0x001d
/** draft-ietf-tls-ecdhe-mlkem: its client share is 1216 bytes. */
const X25519MLKEM768 = 0x11ec

export function helloFor(name: string, kind: HelloKind): Buffer {
  const shares = [share(X25519, 32), ...(kind === "post-quantum" ? [share(X25519MLKEM768, 1216)] : [])]
  const extensions = [
    serverName(name),
    extension(10, block(2, u16(X25519MLKEM768), u16(X25519), u16(0x0017))),
    extension(13, block(2, bytes("0403 0804 0401 0503 0805 0501 0806 0601"))),
    alpn("h2", "http/1.1"),
    extension(43, block(1, bytes("0304 0303"))),
    extension(45, block(1, bytes("01"))),
    extension(51, block(2, ...shares)),
  ]
  const whole = (more: readonly Buffer[]): Buffer =>
    record(clientHello({ sessionId: Buffer.alloc(32, 7), extensions: [...extensions, ...more] }))
  const missingBytes = PADDED_BYTES - whole([extension(PADDING)]).length
  return whole(missingBytes < 0 ? [] : [extension(PADDING, Buffer.alloc(missingBytes))])
}

function share(group: number, keyBytes: number): Buffer {
  return Buffer.concat([u16(group), block(2, Buffer.alloc(keyBytes, 0x42))])
}
