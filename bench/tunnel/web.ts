/** PageKite's stock front end speaks HTTP alone, so it and Waypost are given the same web server at home and the same visitors. */
import { once } from "node:events"
import { createServer, request, type IncomingMessage, type Server } from "node:http"

const PIECE = Buffer.alloc(65_536, "x")
const SMALL = Buffer.alloc(1_024, "x")
const MEASURED_MS = 3_000
const VISITORS_AT_ONCE = 8
/** A front end that has nothing to do looks up once in a second. */
const VISITOR_PATIENCE_MS = 10_000

export type WebFigures = {
  readonly megabytesPerSecond: number
  readonly requestsPerSecond: number
  readonly failed: number
}

/** `/small` is 1 kB, everything else has no end. */
export async function webServer(port: number): Promise<Server> {
  const server = createServer((asked, response) => {
    if (asked.url === "/small") return void response.end(SMALL)
    const more = () => {
      while (!response.destroyed && response.write(PIECE));
    }
    response.on("drain", more).on("error", () => {})
    more()
  }).listen(port, "127.0.0.1")
  await once(server, "listening")
  return server
}

/** One download, then as many small requests as eight visitors can make, each on a connection of its own. */
export async function measureWeb(port: number, host: string): Promise<WebFigures> {
  await answer(port, host, "/small").then(text) // whatever sleeps wakes up
  const download = await answer(port, host, "/big")
  let bytes = 0
  const begun = performance.now()
  download.on("data", (piece: Buffer) => (bytes += piece.length)).on("error", () => {})
  await new Promise((resolve) => setTimeout(resolve, MEASURED_MS))
  const megabytesPerSecond = bytes / 1_000 / (performance.now() - begun)
  download.destroy()

  let [done, failed] = [0, 0]
  const from = performance.now()
  const visitor = async () => {
    while (performance.now() - from < MEASURED_MS)
      await answer(port, host, "/small")
        .then(text)
        .then(
          () => (done += 1),
          () => (failed += 1),
        )
  }
  await Promise.all(Array.from({ length: VISITORS_AT_ONCE }, visitor))
  return { megabytesPerSecond, requestsPerSecond: (done * 1_000) / (performance.now() - from), failed }
}

async function answer(port: number, host: string, path: string): Promise<IncomingMessage> {
  const asked = request({
    port,
    host: "127.0.0.1",
    path,
    headers: { host },
    agent: false,
    timeout: VISITOR_PATIENCE_MS,
  })
  asked.on("timeout", () => asked.destroy(new Error("no answer"))).end()
  const [response] = (await once(asked, "response")) as [IncomingMessage]
  return response
}

async function text(response: IncomingMessage): Promise<void> {
  await once(response.resume(), "end")
}
