/** Who gets which connection: decisions alone, without a socket. */
import { describe, expect, test } from "@jest/globals"
import { Admission } from "../../../src/net/admission.ts"
import type { Arrival, Decision, Ended } from "../../../src/net/engine.ts"
import { readProxyHeader } from "../../../src/net/proxy-header/proxy-header.ts"
import { writeProxyHeader } from "../../../src/net/proxy-header/write.ts"
import { attachedBoxes } from "../../../src/relay/attached.ts"
import { passthrough, type Passthrough } from "../../../src/relay/passthrough.ts"
import { alertRecord } from "../../../src/sni/alert.ts"
import type { SocketAddress } from "../../../src/names/endpoint.ts"
import { hostname } from "../../../src/names/hostname.ts"
import { ipAddress } from "../../../src/names/ip-address.ts"
import { groundOf } from "../../support/ground.ts"
import { alpn, bytes, clientHello, extension, record, serverName } from "../../support/hello.ts"
import { keptLog, type KeptLog } from "../../support/kept-log.ts"
import { at } from "../../support/loopback.ts"
import { v2 } from "../../support/proxy-header.ts"

const CONFIG = `
relay: { name: relay.bob.example, state: ./state }
listeners:
  smtp:   { bind: ["0.0.0.0:25"], protocol: smtp }
  https:  { bind: ["0.0.0.0:443"], protocol: tls }
  http:   { bind: ["0.0.0.0:80"], protocol: http }
  open:   { bind: ["0.0.0.0:8443"], protocol: tls, default: dave }
  behind: { bind: ["0.0.0.0:9443"], protocol: tls, accept-proxy: [10.0.0.0/8] }
  smtp-behind: { bind: ["0.0.0.0:9025"], protocol: smtp, accept-proxy: [10.0.0.0/8] }
  ssh-a:  { bind: ["0.0.0.0:2222"], protocol: tcp, friend: alice }
  ssh:    { bind: ["0.0.0.0:22"], protocol: tcp }
  tunnel: { bind: ["0.0.0.0:7443"], protocol: tunnel }
friends:
  alice:
    domains: [alice.example, "*.alice.example", www.shared.example]
    addresses: [203.0.113.7]
    routes:
      https: { mode: dedicated, to: ["192.0.2.5:443", "192.0.2.6:443"], proxy: v2 }
      behind: { mode: dedicated, to: "192.0.2.5:443", proxy: v1 }
      smtp: { mode: dedicated, to: "192.0.2.5:25" }
      smtp-behind: { mode: dedicated, to: "192.0.2.5:25" }
      ssh-a: { mode: dedicated, to: "192.0.2.5:22" }
      ssh: { mode: dedicated, to: "192.0.2.5:22" }
  dave:
    domains: [dave.example, "*.shared.example"]
    routes:
      https: { mode: dedicated, to: box }
      open: { mode: dedicated, to: "web.dave.example:443" }
      smtp: { mode: peer, to: "192.0.2.9:25" }
      http: { mode: peer, to: "192.0.2.9:80" }
limits: { connections-per-source-max: 2 }
`

const CAROL = at("198.51.100.1", 40_000)
const OURS = "203.0.113.1"
const ALICES = "203.0.113.7"
const BALANCER = at("10.1.2.3", 50_000)

type World = { readonly log: KeptLog; readonly admission: Admission; readonly relay: Passthrough }

function world(): World {
  const ground = groundOf(CONFIG)
  const log = keptLog()
  const admission = new Admission(() => ground.config.limits)
  const addressesOf = ({ host, port }: { host: string; port: number }): readonly SocketAddress[] => {
    const literal = ipAddress(host)
    return literal ? [{ address: literal, port }] : []
  }
  const handOver = (): void => {}
  const meterOf = () => undefined
  return {
    log,
    admission,
    relay: passthrough({
      ground: () => ground,
      admission,
      resolved: { addressesOf },
      meterOf,
      handOver,
      greeted: attachedBoxes().greeted,
      log,
    }),
  }
}

type Asking = { readonly remote?: SocketAddress; readonly local?: string; readonly received?: Uint8Array }

function ask(
  listener: string,
  { remote = CAROL, local = OURS, received = new Uint8Array(0) }: Asking,
  { relay } = world(),
) {
  const arrival: Arrival = { remote, local: at(local, 443), received, finished: false }
  return relay.decideFor(listener)(arrival)
}

const helloFor = (...names: readonly string[]): Buffer => record(clientHello({ extensions: [serverName(...names)] }))

describe("by name", () => {
  test.each([
    ["alice.example", "192.0.2.5"],
    ["ALICE.example", "192.0.2.5"],
    ["alice.example.", "192.0.2.5"],
    ["mail.alice.example", "192.0.2.5"],
    ["www.shared.example", "192.0.2.5"],
  ])("%s is Alice's", (name, address) => {
    expect(ask("https", { received: helloFor(name) })).toMatchObject({
      do: "carry",
      to: [{ address }, { address: "192.0.2.6" }],
    })
  })

  test("the exact name goes before somebody's wildcard", () => {
    expect(ask("https", { received: helloFor("www.shared.example") })).toMatchObject({ do: "carry" })
    expect(ask("https", { received: helloFor("other.shared.example") })).toMatchObject({ do: "adopt" }) // Dave's box
  })

  test.each(["stranger.example", "a.b.alice.example", "example"])("%s is nobody's: unrecognized_name", (name) => {
    const there = world()
    expect(ask("https", { received: helloFor(name) }, there)).toEqual({
      do: "answer",
      bytes: alertRecord("unrecognized_name"),
      why: "NAME_UNKNOWN",
    })
    expect(there.log.all("refused")).toMatchObject([
      { listener: "https", remote: "198.51.100.1:40000", code: "NAME_UNKNOWN" },
    ])
  })

  test("no name: unrecognized_name", () => {
    const received = record(clientHello({ extensions: [] }))
    expect(ask("https", { received })).toMatchObject({ do: "answer", why: "NAME_MISSING" })
  })

  test("where the listener has a default, its friend gets what names nobody, and nothing else", () => {
    const there = world()
    for (const received of [record(clientHello({ extensions: [] })), helloFor("stranger.example")]) {
      expect(ask("open", { received }, there)).toMatchObject({ why: "BACKEND_UNKNOWN" }) // Dave's name does not resolve here
    }
    expect(ask("open", { received: record(clientHello({ extensions: [serverName("a", "b")] })) })).toMatchObject({
      do: "answer",
      bytes: alertRecord("illegal_parameter"),
    })
  })

  test.each([
    ["unexpected_message", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    [
      "illegal_parameter",
      record(clientHello({ extensions: [serverName("alice.example"), serverName("dave.example")] })),
    ],
    ["decode_error", record(clientHello({ extensions: [extension(0, bytes("ffff"))] }))],
  ] as const)("%s for what is no good hello", (alert, received) => {
    expect(ask("https", { received })).toMatchObject({ do: "answer", bytes: alertRecord(alert) })
  })

  test("waits for the rest of a hello, at every byte", () => {
    const hello = helloFor("alice.example")
    for (let length = 0; length < hello.length; length += 1) {
      expect(ask("https", { received: hello.subarray(0, length) })).toEqual({ do: "wait" })
    }
  })
})

describe("by own address and port", () => {
  test("whatever arrives at Alice's own address is hers, without a name or with another's", () => {
    for (const received of [Buffer.from("?"), helloFor("dave.example")]) {
      expect(ask("https", { local: ALICES, received })).toMatchObject({
        do: "carry",
        to: [{ address: "192.0.2.5" }, {}],
      })
    }
  })

  test("a server that speaks first is dialled at accept", () => {
    const { relay } = world()
    expect([relay.ask("smtp"), relay.ask("tcp"), relay.ask("tls")]).toEqual(["accept", "accept", "bytes"])
    expect(ask("smtp", { local: ALICES })).toMatchObject({ do: "carry", to: [{ port: 25 }], skipBytes: 0 })
    expect(ask("ssh", { local: ALICES })).toMatchObject({ do: "carry", to: [{ port: 22 }] })
  })

  test("a port of her own is hers at every address", () => {
    expect(ask("ssh-a", {})).toMatchObject({ do: "carry", to: [{ port: 22 }] })
  })

  test("nobody's address on a protocol without names is reset", () => {
    expect(ask("ssh", {})).toEqual({ do: "reset", why: "NO_ROUTE" })
  })

  test("mail, web and tunnels at the relay's own address are handed over", () => {
    for (const listener of ["smtp", "http", "tunnel"])
      expect(ask(listener, {})).toMatchObject({ do: "adopt", skipBytes: 0 })
  })
})

describe("behind a proxy that the listener trusts", () => {
  const header = writeProxyHeader("v2", { remote: CAROL, local: at(ALICES, 443) })
  const toUs = writeProxyHeader("v1", { remote: CAROL, local: at(OURS, 443) })

  test("the header is required", () => {
    const there = world()
    expect(ask("behind", { remote: BALANCER, received: helloFor("alice.example") }, there)).toMatchObject({
      do: "reset",
    })
    expect(there.log.all("refused")).toMatchObject([{ code: "PROXY_MISSING", remote: "10.1.2.3:50000" }])
  })

  test("from anybody else it is no header but nonsense", () => {
    const received = Buffer.concat([toUs, helloFor("alice.example")])
    expect(ask("behind", { received })).toMatchObject({ do: "answer", why: "NOT_TLS" })
  })

  test("it is waited for, taken off, and the hello behind it decides", () => {
    const received = Buffer.concat([toUs, helloFor("alice.example")])
    for (let length = 0; length < received.length; length += 1) {
      expect(ask("behind", { remote: BALANCER, received: received.subarray(0, length) })).toEqual({ do: "wait" })
    }
    expect(ask("behind", { remote: BALANCER, received })).toMatchObject({ do: "carry", skipBytes: toUs.length })
  })

  test("its local address decides over own addresses, and its remote one is passed on", () => {
    const decision = ask("behind", { remote: BALANCER, received: Buffer.concat([header, Buffer.from("?")]) })
    expect(proxied(decision)).toMatchObject({ remote: CAROL, local: at(ALICES, 443) })
  })

  test("a listener whose server speaks first waits for the header and no more", () => {
    expect(ask("smtp-behind", { remote: BALANCER })).toEqual({ do: "wait" })
    expect(ask("smtp-behind", { remote: BALANCER, received: header })).toMatchObject({
      do: "carry",
      skipBytes: header.length,
    })
    expect(ask("smtp-behind", { local: ALICES })).toMatchObject({ do: "carry", skipBytes: 0 })
  })

  test("the proxy's own connections count against nobody and reach no own address by their header", () => {
    const there = world()
    const local = v2(0x20, 0x11, bytes("c6336401 cb007107 9c40 01bb")) // LOCAL, with addresses that are to be ignored
    const unknown = Buffer.from("PROXY UNKNOWN\r\n")
    for (const own of [local, unknown]) {
      expect(ask("smtp-behind", { remote: BALANCER, received: own }, there)).toMatchObject({ do: "adopt" })
      for (let count = 0; count < 3; count += 1) {
        const received = Buffer.concat([own, helloFor("alice.example")])
        const decision = ask("behind", { remote: BALANCER, received }, there)
        expect(proxied(decision)).toMatchObject({ remote: BALANCER })
      }
    }
  })
})

describe("PROXY out", () => {
  test("tells the name, and the protocol where one was offered", () => {
    const hello = record(clientHello({ extensions: [serverName("alice.example"), alpn("h2")] }))
    const decision = ask("https", { received: hello })
    expect(decision).toMatchObject({
      prefix: writeProxyHeader("v2", {
        remote: CAROL,
        local: at(OURS, 443),
        serverName: hostname("alice.example"),
        alpn: "h2",
      }),
    })
  })

  test("tells no protocol where several were offered", () => {
    const hello = record(clientHello({ extensions: [serverName("alice.example"), alpn("h2", "http/1.1")] }))
    expect(ask("https", { received: hello })).toMatchObject({
      prefix: writeProxyHeader("v2", { remote: CAROL, local: at(OURS, 443), serverName: hostname("alice.example") }),
    })
  })
})

describe("limits", () => {
  const received = helloFor("alice.example")

  test("hold per source, and a place is free again when a connection has ended", () => {
    const there = world()
    const first = ask("https", { received }, there)
    ask("https", { received }, there)
    expect(ask("https", { received }, there)).toEqual({ do: "reset", why: "TOO_MANY_FROM_SOURCE" })
    expect(ask("https", { received, remote: at("198.51.100.2", 1) }, there)).toMatchObject({ do: "carry" })
    there.relay.ended(reportOf(first, "both-finished"))
    there.relay.ended(reportOf(first, "both-finished"))
    expect(there.admission.all).toBe(2)
    expect(ask("https", { received }, there)).toMatchObject({ do: "carry" })
  })

  test("are answered in the visitor's protocol", () => {
    const there = world()
    there.admission.admit(CAROL.address, undefined)
    there.admission.admit(CAROL.address, undefined)
    expect(words(ask("smtp", {}, there))).toBe("421 4.7.0 Too many connections from your address\r\n")
    expect(words(ask("http", {}, there))).toMatch(/^HTTP\/1.1 429 .*\r\nConnection: close\r\n/)
  })
})

describe("the log", () => {
  test("says whose connection ended how, with the visitor's true address", () => {
    const there = world()
    const header = writeProxyHeader("v2", { remote: CAROL, local: at(ALICES, 443) })
    const decision = ask("behind", { remote: BALANCER, received: Buffer.concat([header, Buffer.from("?")]) }, there)
    there.relay.ended(reportOf(decision, "connect-timeout"))
    expect(there.log.all("carried")).toMatchObject([
      {
        route: "alice/behind",
        remote: "198.51.100.1:40000",
        how: "connect-timeout",
        code: "BACKEND_SILENT",
      },
    ])
  })

  test("says who left undecided", () => {
    const there = world()
    there.relay.ended({ ...reportOf({ do: "wait" }, "undecided"), listener: "https" })
    expect(there.log.all("left")).toMatchObject([{ listener: "https", code: "HELLO_LATE" }])
  })
})

test("a listener that is no longer configured resets", () => {
  expect(ask("gone", {})).toMatchObject({ do: "reset" })
})

function proxied(decision: Decision): unknown {
  if (decision.do !== "carry") return decision
  const read = readProxyHeader(decision.prefix)
  return read.kind === "value" ? read.value : read
}

function words(decision: Decision): string {
  return decision.do === "answer" ? Buffer.from(decision.bytes).toString() : decision.do
}

function reportOf(decision: Decision, how: Ended["how"]): Ended {
  const tag = decision.do === "carry" ? decision.tag : undefined
  const moved = { bytesToBackend: 0, bytesToVisitor: 0, durationMs: 1 }
  return { listener: "https", remote: CAROL, local: at(OURS).address, tag, how, ...moved }
}
