/**
 * A relay for the data-plane benchmark: a listener, routes by name, an engine. Started as a program of its own:
 *
 *   node bench/dataplane/relay.ts '{"engine":"native","threads":1,"port":7001,"routes":{"down.bench.example":7100}}'
 */
import { unreachable } from "../../src/faults/unreachable.ts"
import { silentLog } from "../../src/log/log.ts"
import { hostname } from "../../src/names/hostname.ts"
import { ipAddress } from "../../src/names/ip-address.ts"
import { chooseEngine } from "../../src/net/choose-engine.ts"
import type { Decision } from "../../src/net/engine.ts"
import type { Route } from "../../src/route/route.ts"
import { RouteTable } from "../../src/route/table.ts"
import { alertRecord } from "../../src/sni/alert.ts"
import { readClientHello } from "../../src/sni/client-hello.ts"

export type RelayOptions = {
  readonly engine: "native" | "javascript"
  readonly threads: number
  readonly port: number
  /** Ports of 127.0.0.1 by server name. */
  readonly routes: Readonly<Record<string, number>>
}

const loopback = ipAddress("127.0.0.1")
if (!loopback) throw new Error("127.0.0.1 is an address")
const NOTHING = new Uint8Array(0)

const options = JSON.parse(process.argv[2] ?? "{}") as RelayOptions // written by rivals.ts
const routes = Object.entries(options.routes).map(([name, port]): Route => {
  const host = hostname(name)
  if (!host) throw new Error(name)
  return {
    friend: name,
    listener: "https",
    protocol: "tls",
    matches: [{ by: "sni", names: [{ name: host, wildcard: false }] }],
    carry: { mode: "dedicated", proxy: "none", otherwise: "refuse" },
    to: { kind: "tcp", to: [{ host: loopback, port }] },
  }
})
const table = new RouteTable(routes)
const engine = chooseEngine({ log: silentLog, wish: options.engine, threads: options.threads })
await engine.listen(
  {
    name: "https",
    bind: { address: loopback, port: options.port },
    ask: "bytes",
    decideDeadlineMs: 10_000,
    ended: () => {},
  },
  ({ received }): Decision => {
    const hello = readClientHello(received)
    switch (hello.kind) {
      case "need-more":
        return { do: "wait" }
      case "refused":
        return { do: "answer", bytes: alertRecord("decode_error"), why: hello.why.code }
      case "value": {
        const route = hello.value.serverName && table.bySni("https", hello.value.serverName)
        if (!route || route.to.kind !== "tcp") return { do: "reset", why: "no route" }
        return {
          do: "carry",
          to: [{ address: loopback, port: route.to.to[0].port }],
          prefix: NOTHING,
          skipBytes: 0,
          connectDeadlineMs: 5_000,
          idleDeadlineMs: 3_600_000,
          onConnectFailure: alertRecord("internal_error"),
          tag: route,
        }
      }
      default:
        return unreachable(hello)
    }
  },
)
console.log("ready")
