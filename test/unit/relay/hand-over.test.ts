import { afterEach, describe, expect, test } from "@jest/globals"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Engine } from "../../../src/net/engine.ts"
import { attachedBox } from "../../support/attached-box.ts"
import { backend, echo } from "../../support/backend.ts"
import { engineKinds } from "../../support/engines.ts"
import { eventually } from "../../support/eventually.ts"
import { at } from "../../support/loopback.ts"
import { freePort, scratchFolder } from "../../support/program.ts"
import { startRelayProgram, type RelayProgram } from "../../support/relay-program.ts"
import { visitor } from "../../support/visitor.ts"
import { Visits } from "../../support/visits.ts"

const successors: number[] = []

afterEach(() => {
  for (const pid of successors.splice(0)) endProcess(pid)
})

describe.each(engineKinds)("a relay whose place is taken (%s engine)", (engine) => {
  test("refuses nobody, neither at its own ports nor on the way to a box, and what was carried goes on", async () => {
    await using pair = await bobAndAlice(engine)
    const { bob, alice, places } = pair
    const running = await visitor(at("127.0.0.1", places.own))
    running.say("before")
    await running.hears("before")
    const visits = [new Visits(places.own), new Visits(places.box)]
    await eventually("visitors are served", () => visits.every(({ served }) => served > 20))
    await takePlace(bob)
    await eventually("the box is attached to the new one", () => times(bob, "box attached") > 1)
    const before = visits.map(({ served }) => served)
    await eventually("the new one serves", () =>
      visits.every(({ served }, index) => served > (before[index] ?? 0) + 50),
    )
    for (const each of visits) await each.stop()
    expect(visits.map(({ turnedAway }) => turnedAway)).toEqual([[], []])
    running.finish(" and after")
    await running.hears("before and after")
    expect(alice.status()).toMatchObject([{ link: { at: "up" } }])
    await bob.ended() // the last that it carried has ended
  })

  test("refuses nobody either when the new one is replaced before the box has come to it", async () => {
    await using pair = await bobAndAlice(engine)
    const { bob, places } = pair
    const visits = new Visits(places.box)
    await eventually("visitors are served", () => visits.served > 20)
    const second = await takePlace(bob)
    process.kill(second, "SIGUSR2")
    await eventually("it is replaced too", () => times(bob, "replaced") > 1)
    successors.push(Number(bob.log.findLast(({ msg }) => msg === "replaced")?.["pid"]))
    await eventually("the box is with the last", () => times(bob, "box attached") > 2)
    await visits.stop()
    expect(visits.turnedAway).toEqual([])
    await bob.ended()
  })

  test("goes on where the new one does not start, and says why", async () => {
    await using scratch = await scratchFolder()
    const service = await backend(echo)
    const places = await freePlaces()
    await using bob = await startRelayProgram(configuration(places, service.at.port), { engine, folder: scratch.path })
    const file = join(scratch.path, "relay.yaml")
    const good = await readFile(file, "utf8")
    await writeFile(file, good.replace("protocol: tcp", "protocol: tpc"))
    bob.signal("SIGUSR2")
    expect((await bob.logged("not replaced"))["why"]).toBe("the new process ended with 78")
    const visits = new Visits(places.own)
    await eventually("it serves as before", () => visits.served > 10)
    await writeFile(file, good)
    await takePlace(bob)
    await bob.ended()
    const before = visits.served
    await eventually("the new one serves", () => visits.served > before + 10)
    await visits.stop()
    expect(visits.turnedAway).toEqual([])
    await service.close()
  })
})

/** Bob's program, and Alice's box that is attached to it. */
async function bobAndAlice(engine: Engine["kind"]) {
  await using undo = new AsyncDisposableStack()
  const { path: folder } = undo.use(await scratchFolder())
  const service = await backend(echo)
  undo.defer(() => service.close())
  const places = await freePlaces()
  const bob = undo.use(await startRelayProgram(configuration(places, service.at.port), { engine, folder }))
  const alice = undo.use(await attachedBox(folder, places.tunnel, service.at.port))
  await bob.logged("box attached")
  const closing = undo.move()
  return { bob, alice, places, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

type Places = { readonly own: number; readonly box: number; readonly tunnel: number; readonly admin: number }

async function freePlaces(): Promise<Places> {
  return { own: await freePort(), box: await freePort(), tunnel: await freePort(), admin: await freePort() }
}

function configuration({ own, box, tunnel }: Places, servicePort: number): string {
  return `
listeners:
  own: { bind: ["127.0.0.1:${own}"], protocol: tcp, friend: alice }
  box: { bind: ["127.0.0.1:${box}"], protocol: tcp, friend: alice }
  tunnel: { bind: ["127.0.0.1:${tunnel}"], protocol: tunnel }
friends:
  alice:
    routes:
      own: { mode: dedicated, to: "127.0.0.1:${servicePort}" }
      box: { mode: dedicated, to: box, service: any }
limits: { connections-per-source-max: 9000 }`
}

/** Has a new process take the relay's place, and answers with its process id. */
async function takePlace(bob: RelayProgram): Promise<number> {
  bob.signal("SIGUSR2")
  const pid = Number((await bob.logged("replaced"))["pid"])
  successors.push(pid)
  return pid
}

/** How often it has logged this event, and those that followed it. */
function times({ log }: RelayProgram, event: string): number {
  return log.filter(({ msg }) => msg === event).length
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // it has ended by itself
  }
}
