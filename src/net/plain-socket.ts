/** Gets at the descriptor of a plain TCP socket that Node has opened, so that the native engine can carry on with it. */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"

/** A socket that can be carried on with. */
export type Plain = {
  readonly descriptor: number
  /** Stops Node's reading; what it has read and nobody has taken. */
  take(): Uint8Array
}

/**
 * `undefined` where something is between the descriptor and the bytes (TLS, a stream), where bytes are still to be written,
 * or where a direction has ended already. Nothing changes before `take`.
 */
export function plainSocket(stream: Duplex): Plain | undefined {
  const handle = handleOf(stream)
  if (!handle || stream.destroyed || stream.readableEnded || stream.writableEnded || stream.writableLength > 0)
    return undefined
  return {
    descriptor: handle.fd,
    take: () => {
      stream.pause()
      const unread: unknown = stream.read()
      handle.readStop() // after the read: one that empties a full buffer has Node begin anew
      return unread instanceof Uint8Array ? unread : new Uint8Array(0)
    },
  }
}

/** Members of Node's TCP handle that are in no documentation; a contract test holds them (plain-socket.test.ts). */
type Handle = { readonly fd: number; readStop(): number }

function handleOf(stream: Duplex): Handle | undefined {
  if (!(stream instanceof Socket) || "encrypted" in stream) return undefined
  const handle = (stream as unknown as { readonly _handle?: Partial<Handle> | null })._handle
  const { fd, readStop } = handle ?? {}
  return typeof fd === "number" && fd >= 0 && typeof readStop === "function" ? (handle as Handle) : undefined
}
