import { describe, expect, test } from "@jest/globals"
import { GivenSockets } from "../../../src/net/given-sockets.ts"
import { BOX_EXPECTED_MS } from "../../../src/relay/inherited.ts"
import { handClock } from "../../support/hand-clock.ts"
import { at } from "../../support/loopback.ts"
import { freePort } from "../../support/program.ts"
import { testRelay, type TestRelay } from "../../support/relay.ts"
import { visitor } from "../../support/visitor.ts"

const configuration = (port: number): string => `
listeners:
  box: { bind: ["127.0.0.1:${port}"], protocol: tcp, friend: alice }
  tunnel: { bind: ["127.0.0.1:0"], protocol: tunnel }
friends:
  alice: { routes: { box: { mode: dedicated, to: box, service: any } } }`

describe("a box that was attached to the relay before", () => {
  test("is waited for from when that one has let go, and not for ever", async () => {
    await using place = await relayAfter(() => Promise.resolve(["alice"]))
    const { bob, clock, letGo } = place
    let settled = false
    void bob.relay.settled().then(() => (settled = true))
    const carol = await visitor(bob.at("box"))
    await clock.turn(BOX_EXPECTED_MS)
    letGo()
    await clock.turn(BOX_EXPECTED_MS - 1)
    expect({ settled, refused: refusals(bob) }).toEqual({ settled: false, refused: [] })
    await clock.turn(1)
    await carol.hearsEnd()
    expect({ settled, refused: refusals(bob) }).toEqual({ settled: true, refused: ["BOX_AWAY"] })
    carol.finish()
  })

  test("is asked for while nobody can come in yet, so that none is forgotten", async () => {
    const port = await freePort()
    const refused: boolean[] = []
    const boxes = async () => {
      refused.push(
        await visitor(at("127.0.0.1", port)).then(
          () => false,
          () => true,
        ),
      )
      return []
    }
    await using _relay = await relayAfter(boxes, port)
    expect(refused).toEqual([true])
  })

  test("is not waited for when it was not", async () => {
    await using place = await relayAfter(() => Promise.resolve([]))
    const { bob } = place
    await bob.relay.settled()
    const carol = await visitor(bob.at("box"))
    await carol.hearsEnd()
    expect(refusals(bob)).toEqual(["BOX_AWAY"])
    carol.finish()
  })
})

async function relayAfter(boxes: () => Promise<readonly string[]>, port = 0) {
  const clock = handClock()
  const { promise: stateFree, resolve: letGo } = Promise.withResolvers<void>()
  const inherited = { sockets: new GivenSockets(), predecessor: { boxes, stateFree } }
  const bob = await testRelay(configuration(port), { clock, inherited })
  return {
    bob,
    clock,
    letGo,
    async [Symbol.asyncDispose]() {
      letGo() // what nobody lets go of is waited for
      const stopping = bob[Symbol.asyncDispose]()
      await clock.turn(1)
      await stopping
    },
  }
}

function refusals({ log }: TestRelay): readonly unknown[] {
  return log.filter(({ event }) => event === "refused").map(({ fields }) => fields["code"])
}
