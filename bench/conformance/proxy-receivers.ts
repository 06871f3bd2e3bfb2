/** Who reads PROXY headers: each answers an HTTP request behind one with the addresses that it believes. */
import { once } from "node:events"
import { createServer, type AddressInfo } from "node:net"
import { HAPROXY, NGINX, nginxMain, startContestant, type Contestant } from "./contestant.ts"
import { startWaypost } from "./waypost.ts"

/** Started one after the other, by whoever runs the table. Each answers `from=ADDRESS|PORT to=ADDRESS|PORT.` */
export const proxyReceivers: readonly (() => Promise<Contestant>)[] = [ours, haproxy, nginx]

/** Behind our relay stands a backend that answers with the addresses in the header that the relay sends it. */
async function ours(): Promise<Contestant> {
  const backend = createServer((socket) => {
    let received = ""
    socket.on("error", () => {})
    socket.on("data", (piece: Buffer) => {
      received += piece.toString("latin1")
      const [, from, to, fromPort, toPort] = /^PROXY TCP. (\S+) (\S+) (\S+) (\S+)\r\n[^]*\r\n\r\n/.exec(received) ?? []
      if (from) socket.end(`HTTP/1.1 200 OK\r\n\r\nfrom=${from}|${fromPort} to=${to}|${toPort}.`)
    })
  })
  backend.listen(0, "127.0.0.1")
  await once(backend, "listening")
  const { port } = backend.address() as AddressInfo // of a TCP server that listens
  const relay = await startWaypost(
    '  any: { bind: ["127.0.0.1:0"], protocol: tcp, friend: alice, accept-proxy: [127.0.0.1/32] }',
    `  alice: { domains: [alice.example], routes: { any: { mode: dedicated, to: "127.0.0.1:${port}", proxy: v1 } } }`,
  )
  return {
    ...relay,
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]()
      backend.close()
    },
  }
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
