/** The thread on which messages are checked: pieces of content in, findings out. checker.ts speaks with it. */
import { PassThrough } from "node:stream"
import { parentPort, workerData } from "node:worker_threads"
import { stubResolver } from "../../dns/resolver.ts"
import type { SocketAddress } from "../../names/endpoint.ts"
import type { Hostname } from "../../names/hostname.ts"
import { check } from "./check.ts"
import { mailauthResolver } from "./check-dns.ts"
import { notFound, type Findings, type HandedIn } from "./findings.ts"

export type WorkerOptions = { readonly name: Hostname; readonly nameServers: readonly SocketAddress[] }

/** `number`: which check. */
export type ToWorker =
  | { readonly kind: "begin"; readonly number: number; readonly by: HandedIn }
  | { readonly kind: "piece"; readonly number: number; readonly bytes: Uint8Array }
  | { readonly kind: "end" | "drop"; readonly number: number }

export type FromWorker =
  /** As much content was read. */
  | { readonly kind: "read"; readonly number: number; readonly bytes: number }
  | { readonly kind: "found"; readonly number: number; readonly findings: Findings }
  | { readonly kind: "dropped"; readonly number: number }

if (!parentPort) throw new Error("this file is started as a worker thread by checker.ts")
const port = parentPort
const { name, nameServers } = workerData as WorkerOptions // checker.ts gives nothing else
const resolver = mailauthResolver(stubResolver(nameServers, { background: true }))
const contents = new Map<number, PassThrough>()

port.on("message", (message: ToWorker) => {
  const { number } = message
  switch (message.kind) {
    case "begin":
      return void begin(number, message.by)
    case "piece":
      return read(number, message.bytes)
    case "end":
      return void contents.get(number)?.end()
    case "drop":
      contents.get(number)?.destroy()
      contents.delete(number)
      tell({ kind: "dropped", number })
  }
})

async function begin(number: number, by: HandedIn): Promise<void> {
  const content = new PassThrough()
  contents.set(number, content)
  content.on("error", () => {}) // whoever reads it is told
  const findings = await check(content, by, { name, resolver }).catch((error: unknown) => notFound(String(error)))
  if (contents.delete(number)) tell({ kind: "found", number, findings })
}

/** What comes after everything was found is read all the same, or its sender would wait. */
function read(number: number, bytes: Uint8Array): void {
  const isRead = (): void => tell({ kind: "read", number, bytes: bytes.length })
  const content = contents.get(number)
  if (content) content.write(bytes, isRead)
  else isRead()
}

function tell(message: FromWorker): void {
  port.postMessage(message)
}
