import { describe, expect, test } from "@jest/globals"
import { connect } from "node:net"
import { Bucket } from "../../../src/net/bucket.ts"
import { Deadlines } from "../../../src/net/deadlines.ts"
import { Meter, type Counted } from "../../../src/net/meter.ts"
import { MEASURE_INTERVAL_MS, Traffic } from "../../../src/relay/traffic.ts"
import { backend } from "../../support/backend.ts"
import { engines } from "../../support/engines.ts"
import { eventually } from "../../support/eventually.ts"
import { handClock } from "../../support/hand-clock.ts"
import { testRelay } from "../../support/relay.ts"

describe("what each friend's connections move", () => {
  function counting(asked: () => void = () => {}) {
    const hands = handClock()
    const clock = { ...hands, after: (delayMs: number, wake: () => void) => (asked(), hands.after(delayMs, wake)) }
    const engine = { meter: () => new Meter({ tokens: new Bucket(clock), deadlines: new Deadlines(clock) }) }
    const traffic = new Traffic(engine, clock)
    traffic.follow([
      { name: "alice", bytesPerSecondMax: 1_000_000 },
      { name: "dave", bytesPerSecondMax: undefined },
    ])
    return { clock, traffic }
  }

  const running = (): Counted & { bytesToBackend: number; bytesToVisitor: number } => ({
    meterPlace: 0,
    bytesToBackend: 0,
    bytesToVisitor: 0,
  })

  test("is told for all friends, also those for whom nothing runs", () => {
    const nothing = { connections: 0, bytesToBackend: 0, bytesToVisitor: 0 }
    const still = { bytesPerSecondToBackend: 0, bytesPerSecondToVisitor: 0 }
    expect(counting().traffic.all()).toEqual([
      { friend: "alice", ...nothing, ...still, bytesPerSecondMax: 1_000_000 },
      { friend: "dave", ...nothing, ...still, bytesPerSecondMax: undefined },
    ])
  })

  test("is a rate over the last seconds, of running connections too", async () => {
    const { clock, traffic } = counting()
    const connection = running()
    traffic.meterOf("alice").enter(connection)
    connection.bytesToBackend = 5_000
    connection.bytesToVisitor = 20_000
    await clock.turn(MEASURE_INTERVAL_MS)
    const [alice] = traffic.all()
    expect(alice).toMatchObject({ connections: 1, bytesPerSecondToBackend: 2_500, bytesPerSecondToVisitor: 10_000 })
    traffic.meterOf("alice").leave(connection)
    await clock.turn(MEASURE_INTERVAL_MS)
    expect(traffic.all()[0]).toMatchObject({ connections: 0, bytesPerSecondToVisitor: 0, bytesToVisitor: 20_000 })
  })

  test("is not looked at while nothing runs", async () => {
    let woken = 0
    const { clock, traffic } = counting(() => woken++)
    const connection = running()
    traffic.meterOf("dave").enter(connection)
    traffic.meterOf("dave").leave(connection)
    await clock.turn(100 * MEASURE_INTERVAL_MS)
    expect(woken).toBe(1)
  })

  test("is held to a rate no more when the friend has none, or is none", () => {
    const { traffic } = counting()
    const meter = traffic.meterOf("alice")
    expect(meter.line).toBeDefined()
    traffic.follow([{ name: "alice", bytesPerSecondMax: undefined }])
    expect(meter.line).toBeUndefined()
    traffic.follow([{ name: "alice", bytesPerSecondMax: 5_000 }])
    expect(meter.line).toBeDefined()
    traffic.follow([])
    expect(meter.line).toBeUndefined()
  })
})

describe.each(engines)("a relay on engine: $name", ({ start }) => {
  test("holds a friend to the rate in its file, and lets go of running connections when it is loaded without", async () => {
    await using home = await holding(4_000_000)
    const config = (rate: string): string => `
listeners: { own: { bind: ["127.0.0.1:0"], protocol: tcp, friend: alice } }
friends: { alice: { ${rate} routes: { own: { mode: dedicated, to: "127.0.0.1:${home.port}" } } } }`
    await using bob = await testRelay(config("rate: 8kbit/s,"), { engine: start() })
    const carol = connect(bob.at("own").port, "127.0.0.1")
    let heard = 0
    let ended = false
    carol.on("data", (bytes: Buffer) => (heard += bytes.length)).on("end", () => (ended = true))
    await eventually("the burst came through", () => heard > 0)
    expect(heard).toBeLessThan(1_000_000)
    await bob.reload(config(""))
    await eventually("the rest follows", () => ended)
    expect(heard).toBe(4_000_000)
    carol.destroy()
  })
})

/** A server that says so many bytes to whoever comes. */
async function holding(bytes: number): Promise<AsyncDisposable & { readonly port: number }> {
  const home = await backend((peer) => peer.finish(Buffer.alloc(bytes)))
  return { port: home.at.port, [Symbol.asyncDispose]: () => home.close() }
}
