/** Answers a box that asks whether it can be reached: dials the address that its tunnel comes from, and no other. */
import type { Clock } from "../clock/clock.ts"
import type { Log } from "../log/log.ts"
import { socketAddress, type Port, type SocketAddress } from "../names/endpoint.ts"
import { dial } from "../net/dial.ts"
import { readReachQuestion, writeReachAnswer } from "../tunnel/reach.ts"
import type { RelayEnd } from "../tunnel/relay-end.ts"

/** Ours: others may share the address of a box (RFC 6598), and their ports are nobody's to look through. */
export const DIAL_BACK_EVERY_MS = 10_000
/** Ours: a home that answers later is of no use to visitors. */
const DIAL_BACK_MS_MAX = 5_000

/** Answers as long as the tunnel is up and the box asks. */
export async function answerReach(box: Pick<RelayEnd, "remote" | "nextReach">, clock: Clock, log: Log): Promise<void> {
  const { remote } = box
  if (!remote) return
  let answer = ""
  for (;;) {
    const question = await box.nextReach(answer).catch(() => undefined) // the tunnel is gone
    const port = question === undefined ? undefined : readReachQuestion(question)
    if (port === undefined) return
    const from = await dialBack({ host: remote, port })
    log.info("dialled back", { remote, port, reached: from !== undefined })
    answer = writeReachAnswer({ at: { address: remote, port }, from })
    await new Promise<void>((resolve) => clock.after(DIAL_BACK_EVERY_MS, resolve))
  }
}

/** Our own end of the connection, by which who was reached knows it again. */
async function dialBack(to: { host: NonNullable<RelayEnd["remote"]>; port: Port }): Promise<SocketAddress | undefined> {
  try {
    const socket = await dial(to, DIAL_BACK_MS_MAX)
    const own = socketAddress(endText(socket.localAddress, socket.localPort))
    socket.end()
    socket.on("error", () => {}).resume() // whatever it says is not for us
    socket.setTimeout(DIAL_BACK_MS_MAX, () => socket.destroy())
    return own
  } catch {
    return undefined
  }
}

function endText(address = "", port = 0): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`
}
