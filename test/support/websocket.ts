/** The least of a WebSocket server (RFC 6455): it says back each short text message in capitals; a page of its own opens it. */
import { createHash } from "node:crypto"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** In a browser: opens a WebSocket to where it came from, says hello, and shows what comes back. It has loaded when the WebSocket is over. */
const PAGE = `<!doctype html><title>echo</title><p>nothing</p><img src="/over"><script>
const show = (text) => { document.querySelector("p").textContent = text }
const socket = new WebSocket("ws://" + location.host + "/echo")
socket.onopen = () => socket.send("hello")
socket.onmessage = ({ data }) => { show("heard " + data); socket.close() }
</script>`

export async function startEcho(): Promise<AsyncDisposable & { readonly port: number }> {
  const over = Promise.withResolvers<void>()
  const server = createServer(({ url }, response) => {
    response.setHeader("Content-Type", "text/html")
    if (url === "/over") void over.promise.then(() => response.end())
    else response.end(PAGE)
  })
  server.on("upgrade", (request, socket) => {
    // RFC 6455 §4.2.2: the key with this GUID, hashed.
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    const accept = createHash("sha1").update(key).digest("base64")
    const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    socket.write([...head, `Sec-WebSocket-Accept: ${accept}`, "", ""].join("\r\n"))
    socket.on("error", () => {}).on("end", () => socket.end())
    socket.on("close", () => over.resolve())
    socket.on("data", (frame: Buffer) => {
      if ((frame[0] ?? 0) === TEXT_FINAL) socket.write(textFrame(shortText(frame).toUpperCase()))
      else socket.end() // a close frame
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo // of a TCP server that listens
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** RFC 6455 §5.2: FIN and opcode 1. */
const TEXT_FINAL = 0x81

/** §5.3: four octets of mask behind a length below 126. */
function shortText(frame: Buffer): string {
  const length = (frame[1] ?? 0) & 0x7f
  const mask = frame.subarray(2, 6)
  return Buffer.from(frame.subarray(6, 6 + length).map((byte, at) => byte ^ (mask[at % 4] ?? 0))).toString()
}

function textFrame(text: string): Buffer {
  return Buffer.concat([Buffer.of(TEXT_FINAL, text.length), Buffer.from(text)])
}
