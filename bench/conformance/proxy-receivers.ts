/** Who reads PROXY headers: each answers an HTTP request behind one with the addresses that it believes. */
import { once } from "node:events"
import { createServer, type AddressInfo } from "node:net"
import type { SocketAddress } from "../../src/names/endpoint.ts"
import { readProxyHeader } from "../../src/net/proxy-header/proxy-header.ts"
import { HAPROXY, NGINX, nginxMain, startContestant, type Contestant } from "./contestant.ts"

/** Started one after the other, by whoever runs the table. Each answers `from=ADDRESS|PORT to=ADDRESS|PORT.` */
export const proxyReceivers: readonly (() => Promise<Contestant>)[] = [ours, haproxy, nginx]

/** Our reader with the least around it that makes a receiver. */
async function ours(): Promise<Contestant> {
  const server = createServer((peer) => {
    let received = Buffer.alloc(0)
    peer.on("error", () => {})
    peer.on("data", (piece: Buffer) => {
      received = Buffer.concat([received, piece])
      const header = readProxyHeader(received)
      if (header.kind === "refused") return peer.destroy()
      if (header.kind === "need-more" || !received.subarray(header.consumedBytes).includes("\r\n\r\n")) return
      const said = header.value
      const text = (end?: SocketAddress) => (end ? `${end.address}|${end.port}` : "|")
      const [from, to] = said.kind === "proxied" ? [said.remote, said.local] : []
      return peer.end(`HTTP/1.1 200 OK\r\n\r\nfrom=${text(from)} to=${text(to)}.`)
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo // of a TCP server that listens
  return { name: "Waypost", port, [Symbol.asyncDispose]: async () => void server.close() }
}

function haproxy(): Promise<Contestant> {
  return startContestant({
    ...HAPROXY,
    config: (port, readyPort) => `
      defaults
        mode http
        timeout client 2s
        timeout server 2s
        timeout connect 2s
      frontend ready
        bind 127.0.0.1:${readyPort}
      frontend judge
        bind 127.0.0.1:${port} accept-proxy
        http-request return status 200 content-type text/plain lf-string "from=%[src]|%[src_port] to=%[dst]|%[dst_port]."\n`,
  })
}

function nginx(): Promise<Contestant> {
  return startContestant({
    ...NGINX,
    config: (port, readyPort, folder) => `
      ${nginxMain(folder)}
      http {
        access_log off;
        client_header_timeout 2s;
        server { listen 127.0.0.1:${readyPort}; }
        server {
          listen 127.0.0.1:${port} proxy_protocol;
          return 200 "from=$proxy_protocol_addr|$proxy_protocol_port to=$proxy_protocol_server_addr|$proxy_protocol_server_port.";
        }
      }\n`,
  })
}
