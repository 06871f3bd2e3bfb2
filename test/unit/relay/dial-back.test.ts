import { expect, test } from "@jest/globals"
import { once } from "node:events"
import { createServer, type AddressInfo } from "node:net"
import { silentLog } from "../../../src/log/log.ts"
import { answerReach, DIAL_BACK_EVERY_MS } from "../../../src/relay/dial-back.ts"
import { readReachAnswer } from "../../../src/tunnel/reach.ts"
import { eventually } from "../../support/eventually.ts"
import { handClock } from "../../support/hand-clock.ts"
import { address } from "../../support/loopback.ts"

/** A box that asks these questions, one after the other. */
function asking(questions: readonly string[]) {
  const answers: string[] = []
  const nextReach = async (answer: string) => {
    answers.push(answer)
    return questions[answers.length - 1]
  }
  return { answers, box: { remote: address("127.0.0.1"), nextReach } }
}

test("the relay dials the port that is asked about, where the tunnel comes from, and says from where it came", async () => {
  const home = createServer().listen(0, "127.0.0.1")
  await once(home, "listening")
  let cameFrom = 0
  home.on("connection", (visitor) => (cameFrom = visitor.remotePort ?? 0))
  const { port } = home.address() as AddressInfo
  const { answers, box } = asking([String(port), "1"])
  const clock = handClock()
  const over = answerReach(box, clock, silentLog)
  await eventually("the rate is kept", async () => (await clock.turn(DIAL_BACK_EVERY_MS), answers.length > 1))
  const from = { address: "127.0.0.1", port: cameFrom }
  expect(readReachAnswer(answers[1] ?? "")).toEqual({ at: { address: "127.0.0.1", port }, from })
  await eventually("nobody is there", async () => (await clock.turn(DIAL_BACK_EVERY_MS), answers.length > 2))
  expect(answers[2]).toBe("127.0.0.1:1 -")
  await over
  home.close()
})

test("not more often than one in ten seconds", async () => {
  const { answers, box } = asking(["1", "1", "1"])
  const clock = handClock()
  void answerReach(box, clock, silentLog)
  await eventually("the first was dialled", () => answers.length === 1)
  await clock.turn(DIAL_BACK_EVERY_MS - 1)
  expect(answers).toHaveLength(1)
})

test("who asks for anything but a port gets no answer at all", async () => {
  const { answers, box } = asking(["192.168.1.1:80"])
  await answerReach(box, handClock(), silentLog)
  expect(answers).toEqual([""])
})
