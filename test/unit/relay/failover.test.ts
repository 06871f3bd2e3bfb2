/** A friend with several servers, or a server with several addresses: the next one is tried, with everything that was said. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { systemClock } from "../../../src/clock/clock.ts"
import { endpointText } from "../../../src/names/endpoint.ts"
import { Admission } from "../../../src/net/admission.ts"
import type { Engine } from "../../../src/net/engine.ts"
import { Resolved } from "../../../src/net/resolved.ts"
import { passthrough, type Passthrough } from "../../../src/relay/passthrough.ts"
import { attachedBoxes } from "../../../src/relay/attached.ts"
import { backendsOf } from "../../../src/relay/standing.ts"
import { backend, deadEnd, echo, type Backend } from "../../support/backend.ts"
import { deafBackend } from "../../support/deaf-backend.ts"
import { door } from "../../support/door.ts"
import { engines } from "../../support/engines.ts"
import { eventually } from "../../support/eventually.ts"
import { groundOf } from "../../support/ground.ts"
import { keptLog, type KeptLog } from "../../support/kept-log.ts"
import { visitor } from "../../support/visitor.ts"

describe.each(engines)("the next server or address on engine: $name", ({ start }) => {
  let engine: Engine
  let home: Backend
  let log: KeptLog
  let resolved: Resolved

  beforeEach(async () => {
    log = keptLog()
    engine = start(log)
    home = await backend(echo)
    // Nobody listens on 127.0.0.9 with that port; the name that moved away does not resolve at all.
    const zone: Readonly<Record<string, readonly string[]>> = { "home.alice.example": ["127.0.0.9", "127.0.0.1"] }
    const lookup = async (name: string): Promise<readonly string[]> =>
      zone[name] ?? Promise.reject(new Error("ENOTFOUND"))
    resolved = new Resolved({ clock: systemClock, log, lookup })
  })

  afterEach(async () => {
    resolved.stop()
    await engine.close()
    await home.close()
  })

  async function leading(to: readonly string[]): Promise<Passthrough> {
    const ground = groundOf(`
relay: { name: relay.bob.example }
listeners: { own: { bind: ["0.0.0.0:22"], protocol: tcp, friend: alice } }
friends: { alice: { routes: { own: { mode: dedicated, to: ${JSON.stringify(to)} } } } }
limits: { connect-deadline: 2s }`)
    await resolved.follow(backendsOf(ground.config))
    const admission = new Admission(() => ground.config.limits)
    const [greeted, meterOf] = [attachedBoxes().greeted, () => undefined]
    return passthrough({ ground: () => ground, admission, resolved, meterOf, handOver: () => {}, greeted, log })
  }

  async function answersThrough(relay: Passthrough): Promise<void> {
    const ended = relay.ended
    const { bound } = await door(engine, relay.decideFor("own"), { name: "own", ask: relay.ask("tcp"), ended })
    const carol = await visitor(bound)
    carol.finish("Meet me at noon")
    await carol.hears("Meet me at noon")
    await carol.hearsEnd()
    await eventually("accounted", () => log.all("carried").some(({ how }) => how === "both-finished"))
  }

  test("is tried when the first address of a name refuses", async () => {
    await answersThrough(await leading([`home.alice.example:${home.at.port}`]))
  })

  test("is tried when the first server refuses", async () => {
    const nowhere = endpointText(await deadEnd())
    await answersThrough(await leading([nowhere, nowhere.replace("127.0.0.1", "127.0.0.9"), endpointText(home.at)]))
  })

  test("is tried when the first server is silent", async () => {
    const deaf = await deafBackend()
    await answersThrough(await leading([endpointText(deaf.at), endpointText(home.at)]))
    await deaf.close()
  })

  test("is tried when the first server's name does not resolve", async () => {
    await answersThrough(await leading(["gone.alice.example:22", endpointText(home.at)]))
    expect(log.all("backend-unresolved")).toMatchObject([{ backend: "gone.alice.example:22" }])
  })
})
