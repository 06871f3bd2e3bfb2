/**
 * What Node's HTTP/2 over TLS gives between two processes with nothing of ours: one stream, one sender, one receiver. More than
 * this no stream of a tunnel can give. `ceiling()` receives; run as a program this file sends.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { connect as connectHttp2, performServerHandshake } from "node:http2"
import { connect as connectTls, createServer } from "node:tls"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { ownCertificate } from "../../src/cert/own-certificate.ts"
import { systemClock } from "../../src/clock/clock.ts"
import { hostname } from "../../src/names/hostname.ts"
import { SESSION_OPTIONS, SESSION_WINDOW_BYTES, STREAM_WINDOW_BYTES } from "../../src/tunnel/settings.ts"

const ALPN = "ceiling"
const PIECE = Buffer.alloc(65_536)
const WARM_MS = 500
const MEASURED_MS = 2_000

export type Ceiling = { readonly megabytesPerSecond: number; readonly receiverCpuSecondsPerGigabyte: number }

export async function ceiling(folder: string): Promise<Ceiling> {
  const sender = fork(import.meta.filename, [folder])
  const [port] = (await once(sender, "message")) as [number]
  const tls = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: [ALPN] })
  await once(tls, "secureConnect")
  const session = connectHttp2("https://sender", { ...SESSION_OPTIONS, createConnection: () => tls })
  session.once("connect", () => session.setLocalWindowSize(SESSION_WINDOW_BYTES))
  const stream = session.request({ ":method": "CONNECT", ":authority": "sender" }, { endStream: false })
  let bytes = 0
  stream.on("data", (piece: Buffer) => (bytes += piece.length)).on("error", () => {})
  await new Promise((resolve) => setTimeout(resolve, WARM_MS))
  const [before, from, cpuFrom] = [bytes, performance.now(), process.cpuUsage()]
  await new Promise((resolve) => setTimeout(resolve, MEASURED_MS))
  const { user, system } = process.cpuUsage(cpuFrom)
  const took = performance.now() - from
  const moved = bytes - before
  session.destroy()
  sender.kill()
  return {
    megabytesPerSecond: moved / 1e3 / took,
    receiverCpuSecondsPerGigabyte: (user + system) / 1e6 / (moved / 1e9),
  }
}

async function send(folder: string): Promise<void> {
  const name = hostname("sender")
  if (!name) throw new Error("sender is a host name")
  const { key, cert } = await ownCertificate(folder, name, systemClock)
  const server = createServer({ key, cert, minVersion: "TLSv1.3", ALPNProtocols: [ALPN] }, (tls) => {
    const session = performServerHandshake(tls, SESSION_OPTIONS)
    session.setLocalWindowSize(SESSION_WINDOW_BYTES)
    session.on("error", () => {})
    session.on("stream", (stream) => {
      stream.respond({ ":status": 200 })
      fill(stream)
    })
  }).listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port))
  process.once("disconnect", () => process.exit(0))
}

/** As much as is taken. */
function fill(stream: Duplex): void {
  const more = () => {
    while (!stream.destroyed && stream.writableLength < STREAM_WINDOW_BYTES && stream.write(PIECE));
  }
  stream.on("drain", more).on("error", () => {})
  more()
}

if (import.meta.main) await send(process.argv[2] ?? "")
