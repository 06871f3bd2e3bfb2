/** The relay of this chapter is the program itself, started as Bob starts it: it is its process that is replaced. */
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect } from "@jest/globals"
import { backend, echo } from "../support/backend.ts"
import { eventually } from "../support/eventually.ts"
import { at } from "../support/loopback.ts"
import { freePort, scratchFolder } from "../support/program.ts"
import { startRelayProgram } from "../support/relay-program.ts"
import { visitor } from "../support/visitor.ts"
import { Visits } from "../support/visits.ts"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "23-an-upgrade",
  "An upgrade while people visit",
  "Bob installs a new version of the program while people visit Alice. Is anybody turned away?",
)

scene("A new process takes the place of the old one (SIGUSR2)", async ({ story }) => {
  await using village = await carriesForAlice()
  const { relay, port } = village
  const visits = new Visits(port)
  const staying = await visitor(at("127.0.0.1", port))
  staying.say("I stay")
  await staying.hears("I stay")
  await eventually("people visit", () => visits.served > 20)
  story.says("Carol", "Alice", "hello, again and again")
  relay.signal("SIGUSR2")
  const pid = Number((await relay.logged("replaced"))["pid"])
  await using _successor = { [Symbol.asyncDispose]: async () => void process.kill(pid) }
  story.happens("a new process of Bob's relay takes over the open ports, and the old one accepts nobody any more")
  const before = visits.served
  await eventually("the new one serves", () => visits.served > before + 20)
  await visits.stop()
  expect(visits.turnedAway).toEqual([])
  story.found("Carol", "was answered every time")
  staying.finish(", and have finished")
  await staying.hears("I stay, and have finished")
  story.found("Carol", "finished what the old process had begun to carry")
  await relay.ended()
  story.found("Bob", "sees the old process end when nothing of it was left")
})

scene("The new version does not start", async ({ story }) => {
  await using village = await carriesForAlice()
  const { relay, port, writes } = village
  const visits = new Visits(port)
  await writes((text) => text.replace("protocol: tcp", "protocol: tpc"))
  relay.signal("SIGUSR2")
  await relay.logged("not replaced")
  story.happens("the new process finds a fault in the configuration, and ends")
  const before = visits.served
  await eventually("it serves as before", () => visits.served > before + 20)
  await visits.stop()
  expect(visits.turnedAway).toEqual([])
  story.found("Carol", "was answered every time, by the old process")
})

scene("The wrong world: Bob stops the relay and starts it again", async ({ story }) => {
  await using village = await carriesForAlice()
  const { relay, port, folder, text } = village
  const visits = new Visits(port)
  await eventually("people visit", () => visits.served > 20)
  await relay.stop()
  story.happens("Bob stops his relay, and starts the new version")
  await eventually("people are turned away", () => visits.turnedAway.length > 0)
  await using _again = await startRelayProgram(text, { folder })
  await visits.stop()
  story.found("Carol", "was refused until it ran again")
})

answer(
  "No. The new process accepts at the same open sockets before the old one stops, and what the old one carries goes on until it ends. If the new one does not get that far, nothing has changed. Whoever stops and starts instead turns people away.",
)

async function carriesForAlice() {
  await using undo = new AsyncDisposableStack()
  const { path: folder } = undo.use(await scratchFolder())
  const service = await backend(echo)
  undo.defer(() => service.close())
  const port = await freePort()
  const text = `
listeners: { tcp: { bind: ["127.0.0.1:${port}"], protocol: tcp, friend: alice } }
friends: { alice: { routes: { tcp: { mode: dedicated, to: "127.0.0.1:${service.at.port}" } } } }
limits: { connections-per-source-max: 9000 }
`
  const relay = await startRelayProgram(text, { folder })
  undo.defer(() => relay.stop())
  const kept = undo.move()
  const writes = async (change: (text: string) => string): Promise<void> => {
    const file = join(folder, "relay.yaml")
    await writeFile(file, change(await readFile(file, "utf8")))
  }
  return { relay, port, folder, text, writes, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}
