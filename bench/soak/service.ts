/** The service behind the relay that is soaked: it does what each visitor tells it, and checks every byte. */
import { createServer, type Server, type Socket } from "node:net"
import { Expected, LINE_BEGIN, pour, streamOf, type Told } from "./told.ts"

export type Faults = { readonly seed: number; readonly what: string }[]

export function soakService(faults: Faults): Server {
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => {}) // visitors reset, and the relay passes it on
    readLine(socket, (told, rest) => void serve(socket, told, rest, faults))
  })
}

function readLine(socket: Socket, told: (told: Told, rest: Buffer) => void): void {
  let heard = Buffer.alloc(0)
  const onData = (bytes: Buffer): void => {
    heard = Buffer.concat([heard, bytes])
    const begin = heard.indexOf(LINE_BEGIN)
    const end = begin < 0 ? -1 : heard.indexOf("\n", begin + 1)
    if (end < 0) return
    socket.off("data", onData).off("end", onEnd).pause()
    told(JSON.parse(heard.toString("latin1", begin + 1, end)) as Told, heard.subarray(end + 1))
  }
  const onEnd = (): void => void socket.end()
  socket.on("data", onData).on("end", onEnd)
}

async function serve(socket: Socket, told: Told, rest: Buffer, faults: Faults): Promise<void> {
  const expected = new Expected(told.seed, "up")
  const heardAll = new Promise<void>((resolve) => {
    expected.hear(rest)
    socket.on("data", (bytes: Buffer) => expected.hear(bytes))
    socket.on("end", () => {
      if (expected.heardBytes !== told.bytesUp) {
        faults.push({
          seed: told.seed,
          what: `the service heard ${expected.heardBytes} bytes and FIN, not ${told.bytesUp}`,
        })
      }
      resolve()
    })
    socket.on("close", () => resolve())
    socket.resume()
  })
  const resetsAt = told.serviceResetsAt ?? Infinity
  await pour(socket, streamOf(told.seed, "down", told.bytesDown), (sentBytes) => sentBytes < resetsAt)
  if (told.serviceResetsAt !== undefined) return void socket.resetAndDestroy()
  if (!told.serviceFinishesFirst) await heardAll
  socket.end()
  await heardAll
  if (expected.wrong) faults.push({ seed: told.seed, what: "the service heard wrong bytes" })
}
