/** Decisions and engines together: real visitors, a real backend, every engine. */
import type { Socket } from "node:net"
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { endpointText } from "../../../src/names/endpoint.ts"
import { Admission } from "../../../src/net/admission.ts"
import type { Engine } from "../../../src/net/engine.ts"
import { readProxyHeader } from "../../../src/net/proxy-header/proxy-header.ts"
import { writeProxyHeader } from "../../../src/net/proxy-header/write.ts"
import { Resolved } from "../../../src/net/resolved.ts"
import { systemClock } from "../../../src/clock/clock.ts"
import { attachedBoxes } from "../../../src/relay/attached.ts"
import { passthrough, type HandedOver, type Passthrough } from "../../../src/relay/passthrough.ts"
import { alertRecord } from "../../../src/sni/alert.ts"
import { backend, deadEnd, type Backend } from "../../support/backend.ts"
import { door, type Door } from "../../support/door.ts"
import { engines } from "../../support/engines.ts"
import { eventually } from "../../support/eventually.ts"
import { groundOf } from "../../support/ground.ts"
import { clientHello, cutEvery, record, serverName } from "../../support/hello.ts"
import { keptLog, type KeptLog } from "../../support/kept-log.ts"
import { at } from "../../support/loopback.ts"
import { Peer } from "../../support/peer.ts"
import { visitor } from "../../support/visitor.ts"

describe.each(engines)("passthrough on engine: $name", ({ start }) => {
  let engine: Engine
  let home: Backend
  let relay: Passthrough
  let admission: Admission
  let resolved: Resolved
  let log: KeptLog
  const handed: { readonly peer: Peer; readonly connection: HandedOver }[] = []

  beforeEach(async () => {
    handed.length = 0
    log = keptLog()
    engine = start(log)
    home = await backend()
    const ground = groundOf(configFor(endpointText(home.at), endpointText(await deadEnd())))
    admission = new Admission(() => ground.config.limits)
    resolved = new Resolved({ clock: systemClock, log })
    const handOver = (socket: Socket, connection: HandedOver): void =>
      void handed.push({ peer: new Peer(socket), connection })
    const greeted = attachedBoxes().greeted
    const meterOf = () => undefined
    relay = passthrough({ ground: () => ground, admission, resolved, meterOf, handOver, greeted, log })
  })

  afterEach(async () => {
    resolved.stop()
    for (const { peer } of handed) peer.socket.destroy()
    await engine.close()
    await home.close()
  })

  function open(listener: string, protocol: "tls" | "smtp"): Promise<Door> {
    const ended = relay.ended
    return door(engine, relay.decideFor(listener), {
      name: listener,
      bind: at("0.0.0.0"),
      ask: relay.ask(protocol),
      ended,
    })
  }

  test("a hello in records and segments of any size arrives unchanged behind the header that tells who came", async () => {
    const https = await open("https", "tls")
    const hello = cutEvery(clientHello({ extensions: [serverName("alice.example")] }), 7)
    const carol = await visitor(at("127.0.0.1", https.bound.port), "127.0.0.2")
    for (let from = 0; from < hello.length; from += 9) carol.say(hello.subarray(from, from + 9))
    const there = await home.accepted()
    const read = await eventually("header and hello", () => {
      const header = readProxyHeader(there.heard)
      return header.kind === "value" && there.heard.length >= header.consumedBytes + hello.length && header
    })
    expect(read.value).toMatchObject({ remote: { address: "127.0.0.2", port: carol.socket.localPort } })
    expect(there.heard.subarray(read.consumedBytes).equals(hello)).toBe(true)
    expect(admission.all).toBe(1)
    carol.finish()
    there.finish()
    await eventually("the place is free again", () => admission.all === 0)
    expect(log.all("carried")).toMatchObject([{ route: "alice/https", how: "both-finished" }])
  })

  test("whoever names nobody gets the alert, whole", async () => {
    const https = await open("https", "tls")
    const carol = await visitor(at("127.0.0.1", https.bound.port))
    carol.say(record(clientHello({ extensions: [serverName("stranger.example")] })))
    carol.say(Buffer.alloc(100_000))
    await carol.hearsEnd()
    expect(carol.heard.equals(alertRecord("unrecognized_name"))).toBe(true)
    expect(carol.error).toBeUndefined()
    carol.finish()
  })

  test("one wildcard bind serves own addresses, whose server speaks first", async () => {
    const smtp = await open("smtp", "smtp")
    const carol = await visitor(at("127.0.0.3", smtp.bound.port))
    const there = await home.accepted()
    there.say("220 mail.alice.example\r\n")
    await carol.hears("220 mail.alice.example\r\n")
    carol.socket.destroy()
  })

  test("a backend that is down is told in the visitor's protocol", async () => {
    const smtp = await open("smtp", "smtp")
    const carol = await visitor(at("127.0.0.4", smtp.bound.port))
    await carol.hearsEnd()
    expect(carol.heardText).toBe("421 4.4.1 The next host refuses connections\r\n")
    carol.finish()
    await eventually("a line in the log", () => log.all("carried").some(({ code }) => code === "BACKEND_REFUSES"))
    expect(admission.all).toBe(0)
  })

  test("what the relay takes part in is handed over with the true ends, without the header, and counted", async () => {
    const behind = await open("behind", "smtp")
    const carol = at("198.51.100.1", 4_000)
    const balancer = await visitor(at("127.0.0.1", behind.bound.port))
    balancer.say(writeProxyHeader("v1", { remote: carol, local: at("203.0.113.1", 25) }))
    const { peer, connection } = await eventually("handed over", () => handed[0])
    expect(connection).toMatchObject({
      listener: "behind",
      protocol: "smtp",
      remote: carol,
      local: at("203.0.113.1", 25),
    })
    balancer.finish("EHLO carol.example\r\n")
    await peer.hearsEnd()
    expect(peer.heardText).toBe("EHLO carol.example\r\n")
    expect(admission.all).toBe(1)
    peer.finish("221 bye\r\n")
    await balancer.hearsEnd()
    expect(balancer.heardText).toBe("221 bye\r\n")
    await eventually("the place is free again", () => admission.all === 0)
  })
})

function configFor(home: string, nowhere: string): string {
  return `
relay: { name: relay.bob.example, state: ./state }
listeners:
  https:  { bind: ["0.0.0.0:443"], protocol: tls }
  smtp:   { bind: ["0.0.0.0:25"], protocol: smtp }
  behind: { bind: ["0.0.0.0:9025"], protocol: smtp, accept-proxy: [127.0.0.1] }
friends:
  alice:
    domains: [alice.example]
    addresses: [127.0.0.3]
    routes:
      https: { mode: dedicated, to: "${home}", proxy: v2 }
      smtp: { mode: dedicated, to: "${home}" }
  frank:
    addresses: [127.0.0.4]
    routes:
      smtp: { mode: dedicated, to: "${nowhere}" }
  dave:
    domains: [dave.example]
    routes:
      behind: { mode: peer, to: "${home}" }
`
}
