/** PROXY headers against programs that speak the protocol: HAProxy and nginx as sender and as receiver, curl as sender. */
import { once } from "node:events"
import { mkdir, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { connect as connectTls } from "node:tls"
import { describe, expect, test } from "@jest/globals"
import { endpointText, socketAddress, type SocketAddress } from "../../src/names/endpoint.ts"
import { hostname } from "../../src/names/hostname.ts"
import { readProxyHeader } from "../../src/net/proxy-header/proxy-header.ts"
import { writeProxyHeader } from "../../src/net/proxy-header/write.ts"
import { runClient } from "../support/client.ts"
import { openHearing } from "../support/hearing.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair } from "../support/key-pair.ts"
import { freePort, scratchFolder, startProgram } from "../support/program.ts"

withJudges(["haproxy"], () => {
  describe("what HAProxy sends is read", () => {
    test.each(["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])("%s", async (how) => {
      await using hearing = await openHearing(isEnough)
      await using proxy = await haproxyInFrontOf(hearing.port, how)
      const client = connect(proxy.port, "127.0.0.1")
      await once(client, "connect")
      client.write("hello")
      const ends = { remote: text(client.localPort), local: text(proxy.port) }
      const header = read(await hearing.heard)
      client.destroy()
      expect(header).toMatchObject(ends)
    })

    test("about TLS that it ended itself", async () => {
      await using hearing = await openHearing(isEnough)
      const options = "send-proxy-v2-ssl proxy-v2-options ssl,ssl-cipher,cert-cn,cert-sig,cert-key,authority,crc32c"
      await using proxy = await haproxyInFrontOf(hearing.port, options, "ssl crt FOLDER/pair.pem alpn h2")
      const client = connectTls({
        port: proxy.port,
        host: "127.0.0.1",
        servername: "alice.example",
        rejectUnauthorized: false,
        ALPNProtocols: ["h2"],
      })
      client.on("error", () => {})
      await once(client, "secureConnect")
      client.write("hello")
      const header = read(await hearing.heard)
      client.destroy()
      expect(header).toMatchObject({
        local: text(proxy.port),
        tlvs: { 1: "h2", 2: "alice.example", 3: expect.any(String), 0x20: expect.stringContaining("TLSv1.3") },
      })
    })

    test("in a health check", async () => {
      await using hearing = await openHearing(isEnough)
      await using _proxy = await haproxyInFrontOf(hearing.port, "send-proxy-v2 check check-send-proxy inter 100ms")
      expect(read(await hearing.heard)).toEqual({ kind: "local" })
    })
  })

  describe("what we write is understood by HAProxy", () => {
    test.each(headersToWrite())("%s", async (_what, version, ends) => {
      await using folder = await scratchFolder()
      const port = await freePort()
      await writeFile(
        `${folder.path}/haproxy.cfg`,
        `defaults
          mode http
          timeout client 60s
          timeout server 60s
          timeout connect 60s
        frontend judge
          bind 127.0.0.1:${port} accept-proxy
          http-request return status 200 content-type text/plain lf-string "src=%[src] %[src_port] dst=%[dst] %[dst_port] authority=%[fc_pp_authority]."\n`,
      )
      await using _judge = await startProgram("haproxy", ["-db", "-f", `${folder.path}/haproxy.cfg`], port)
      const { remote, local, serverName } = ends
      const answer = await ask(port, writeProxyHeader(version, ends))
      expect(answer).toContain(`src=${remote.address} ${remote.port} dst=${local.address} ${local.port}`)
      expect(answer).toContain(`authority=${version === "v2" ? (serverName ?? "") : ""}.`)
    })
  })
})

withJudges(["nginx"], () => {
  test("what nginx sends is read", async () => {
    await using hearing = await openHearing(isEnough)
    await using proxy = await nginx(
      (port, readyPort) =>
        `stream { server { listen 127.0.0.1:${port}; proxy_pass 127.0.0.1:${hearing.port}; proxy_protocol on; }
          server { listen 127.0.0.1:${readyPort}; return ""; } }`,
    )
    const client = connect(proxy.port, "127.0.0.1")
    await once(client, "connect")
    client.write("hello")
    const ends = { remote: text(client.localPort), local: text(proxy.port) }
    const header = read(await hearing.heard)
    client.destroy()
    expect(header).toMatchObject(ends)
  })

  test.each(headersToWrite())("what we write is understood by nginx: %s", async (_what, version, ends) => {
    await using judge = await nginx(
      (port, readyPort) =>
        `http { access_log off; server { listen 127.0.0.1:${readyPort}; } server { listen 127.0.0.1:${port} proxy_protocol;
        return 200 "src=$proxy_protocol_addr $proxy_protocol_port dst=$proxy_protocol_server_addr $proxy_protocol_server_port"; } }`,
    )
    const { remote, local } = ends
    const answer = await ask(judge.port, writeProxyHeader(version, ends))
    expect(answer).toContain(`src=${remote.address} ${remote.port} dst=${local.address} ${local.port}`)
  })
})

withJudges(["curl"], () => {
  test("what curl sends is read", async () => {
    await using hearing = await openHearing(isEnough)
    const args = ["-s", "--max-time", "20", "--haproxy-protocol", `http://127.0.0.1:${hearing.port}/`]
    const [heard] = await Promise.all([hearing.heard, runClient("curl", args)])
    expect(read(heard)).toMatchObject({ kind: "proxied", local: text(hearing.port) })
  })
})

type Ends = Parameters<typeof writeProxyHeader>[1]

function headersToWrite(): [string, "v1" | "v2", Ends][] {
  const four = { remote: at("192.0.2.1:56324"), local: at("198.51.100.1:443") }
  const six = { remote: at("[2001:db8::1]:65535"), local: at("[2001:db8::2]:1") }
  const serverName = hostname("alice.example")
  const longName = hostname(`${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(34)}.example`)
  return [
    ["v1, IPv4", "v1", four],
    ["v1, IPv6", "v1", six],
    ["v2, IPv4", "v2", four],
    ["v2, IPv6", "v2", six],
    ["v2, IPv4, with name and protocol", "v2", { ...four, serverName, alpn: "h2" }],
    ["v2, IPv6, with the longest name that fits", "v2", { ...six, serverName: longName }],
  ]
}

function isEnough(received: Buffer): boolean {
  return readProxyHeader(received).kind !== "need-more"
}

/** What our reader made of a header, with ends and TLVs as text. */
function read(heard: Buffer): object {
  const outcome = readProxyHeader(heard)
  if (outcome.kind !== "value" || outcome.value.kind !== "proxied")
    return outcome.kind === "value" ? outcome.value : outcome
  const { remote, local, tlvs } = outcome.value
  const values = tlvs.map(({ type, value }) => [type, Buffer.from(value).toString("latin1")] as const)
  return { kind: "proxied", remote: endpointText(remote), local: endpointText(local), tlvs: Object.fromEntries(values) }
}

async function haproxyInFrontOf(backendPort: number, serverOptions: string, bindOptions = "") {
  const folder = await scratchFolder()
  const port = await freePort()
  const readyPort = await freePort() // probing the other port would make it send a header
  const pair = await keyPair("alice.example")
  await writeFile(`${folder.path}/pair.pem`, pair.key + pair.cert)
  await writeFile(
    `${folder.path}/haproxy.cfg`,
    `defaults
      mode tcp
      timeout client 60s
      timeout server 60s
      timeout connect 60s
    frontend visitors
      bind 127.0.0.1:${port} ${bindOptions.replace("FOLDER", folder.path)}
      unique-id-format %{+X}o%ci%cp
      default_backend ours
    frontend ready
      bind 127.0.0.1:${readyPort}
      tcp-request connection reject
    backend ours
      server ours 127.0.0.1:${backendPort} ${serverOptions}\n`,
  )
  const program = await startProgram("haproxy", ["-db", "-f", `${folder.path}/haproxy.cfg`], readyPort)
  return withPort(port, program, folder)
}

async function nginx(blocks: (port: number, readyPort: number) => string) {
  const folder = await scratchFolder()
  const port = await freePort()
  const readyPort = await freePort()
  await mkdir(`${folder.path}/logs`)
  await writeFile(
    `${folder.path}/nginx.conf`,
    `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
    daemon off; master_process off; pid ${folder.path}/pid; error_log stderr;
    events {}
    ${blocks(port, readyPort)}\n`,
  )
  const program = await startProgram("nginx", ["-p", folder.path, "-c", `${folder.path}/nginx.conf`], readyPort)
  return withPort(port, program, folder)
}

function withPort(port: number, ...resources: readonly AsyncDisposable[]) {
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const resource of resources) await resource[Symbol.asyncDispose]()
    },
  }
}

/** Sends a header and a request, and gives what is answered. */
async function ask(port: number, header: Uint8Array): Promise<string> {
  const socket = connect(port, "127.0.0.1")
  socket.write(header)
  socket.write("GET / HTTP/1.1\r\nHost: judge\r\nConnection: close\r\n\r\n")
  let answer = ""
  socket.on("data", (piece: Buffer) => (answer += piece.toString()))
  await once(socket, "close")
  return answer
}

function text(port: number | undefined): string {
  return `127.0.0.1:${port}`
}

function at(written: string): SocketAddress {
  const address = socketAddress(written)
  if (!address) throw new Error(`the test's own data is wrong: ${written}`)
  return address
}
