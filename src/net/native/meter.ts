/** A meter whose connections the native engine carries: it counts them, and its bucket serves JavaScript as well. */
import type { Deadlines } from "../deadlines.ts"
import { Meter, type Counts } from "../meter.ts"
import type { Addon, Handle } from "./addon.ts"

/** Ours: what is asked for at once. */
const WANT_BYTES_MAX = 0x7fff_ffff

export class NativeMeter extends Meter {
  /** What commands call it. */
  readonly index: number

  constructor(addon: Addon, engine: Handle, deadlines: Deadlines) {
    const index = addon.meter(engine)
    if (index < 0) throw new Error("the native engine has no room for another meter")
    const read = new Float64Array(3)
    const tokens = {
      take: (wantBytes: number) => addon.take(engine, index, Math.min(Math.ceil(wantBytes), WANT_BYTES_MAX)),
      giveBack: (bytes: number) => addon.giveBack(engine, index, bytes),
      limit: (bytesPerSecond = 0) => addon.limit(engine, index, bytesPerSecond),
    }
    super({ tokens, deadlines, more: () => countsIn(read, () => addon.read(engine, index, read)) })
    this.index = index
  }
}

function countsIn(into: Float64Array, read: () => void): Counts {
  read()
  const [connections = 0, bytesToBackend = 0, bytesToVisitor = 0] = into
  return { connections, bytesToBackend, bytesToVisitor }
}
