/**
 * Mail that passes through `waypost relay` while its sender waits, judged by programs on both sides: swaks says what a
 * sender heard; Dave's Postfix and smtp-sink, which can be told to misbehave, say what reached him.
 */
import { describe, expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { eventually } from "../support/eventually.ts"
import { withJudges } from "../support/judge.ts"
import { startPostfix } from "../support/postfix.ts"
import { freePort, startProgram } from "../support/program.ts"
import { startRelayProgram, type RelayProgram } from "../support/relay-program.ts"

withJudges(["postfix", "swaks", "smtp-sink", "smtp-source"], () => {
  describe("Dave's Postfix", () => {
    test("is heard by the sender in its own words, and what it takes is not kept", async () => {
      const home = await freePort()
      const dave = await startPostfix({
        listen: { address: "127.0.0.1", port: home },
        domains: ["dave.example"],
        more: [
          "smtpd_recipient_restrictions = check_recipient_access inline:{erin@dave.example=REJECT}, permit_mynetworks, reject_unauth_destination",
        ],
      })
      await using _ = { [Symbol.asyncDispose]: () => dave.stop() }
      await using relay = await startRelayProgram(leadingTo(home))
      expect(await swaks(relay, "dave@dave.example")).toMatch(/<- {2}250 2\.0\.0 Ok: queued as [0-9A-Za-z]+\n/)
      expect(await swaks(relay, "erin@dave.example")).toMatch(
        /<\*\* 554 5\.7\.1 <erin@dave\.example>: Recipient address rejected/,
      )
      await eventually("Dave has it", async () => (await dave.mailbox()).length > 0)
      expect(await dave.mailbox()).toHaveLength(1)
      expect(kept(relay)).toBe(0)
      expect(relay.log.filter(({ msg }) => msg === "mail-delivered")).toMatchObject([{ passed: true }])
    })
  })

  /** What smtp-sink is told to do; what the sender then hears; how many of one mail are kept. */
  test.each([
    ["takes everything", [], /<- {2}250 2\.0\.0 Ok\n/, 0],
    ["refuses RCPT", ["-f", "rcpt"], /<\*\* 500 5\.3\.0 /, 0],
    ["asks to come back at RCPT", ["-r", "rcpt"], /<\*\* 450 4\.3\.0 /, 0],
    ["refuses DATA", ["-f", "data"], /<\*\* 500 5\.3\.0 /, 0],
    ["refuses the end", ["-f", "."], /<\*\* 500 5\.3\.0 /, 0],
    ["asks to come back at the end", ["-r", "."], /<\*\* 450 4\.3\.0 /, 0],
    ["hangs up at MAIL", ["-q", "mail"], KEPT(), 1],
    ["hangs up at RCPT", ["-q", "rcpt"], KEPT(), 1],
    ["hangs up at DATA", ["-q", "data"], KEPT(), 1],
    ["hangs up at the end", ["-q", "."], KEPT(), 1],
    ["has 421 for RCPT", ["-Q", "rcpt"], KEPT(), 1],
    ["has 421 for the end", ["-Q", "."], KEPT(), 1],
    ["knows no extension", ["-e"], /<- {2}250 2\.0\.0 Ok\n/, 0],
    ["knows no pipelining", ["-p"], /<- {2}250 2\.0\.0 Ok\n/, 0],
    ["is slow", ["-w", "1"], /<- {2}250 2\.0\.0 Ok\n/, 0],
  ])("smtp-sink that %s", async (_, flags, heard, keeps) => {
    const home = await freePort()
    await using _sink = await startProgram("smtp-sink", ["-u", "nobody", ...flags, `127.0.0.1:${home}`, "100"], home)
    await using relay = await startRelayProgram(leadingTo(home))
    expect(await swaks(relay, "dave@dave.example")).toMatch(heard)
    await eventually("what is kept is told of", () => kept(relay) >= keeps)
    expect(kept(relay)).toBe(keeps)
  })

  test("200 messages of 10 senders pass, and none is kept", async () => {
    const home = await freePort()
    await using _sink = await startProgram("smtp-sink", ["-u", "nobody", `127.0.0.1:${home}`, "100"], home)
    await using relay = await startRelayProgram(leadingTo(home))
    const load = ["-s", "10", "-l", "10240", "-m", "200", "-f", "carol@carol.example", "-t", "dave@dave.example"]
    expect(await runClient("smtp-source", [...load, `127.0.0.1:${relay.port("smtp")}`])).toMatchObject({ exitCode: 0 })
    await eventually("all are told of", () => delivered(relay) === 200)
    expect(kept(relay)).toBe(0)
  })
})

function KEPT(): RegExp {
  return /<- {2}250 2\.0\.0 Kept as [a-z2-7]{16}\n/
}

function kept(relay: RelayProgram): number {
  return relay.log.filter(({ msg }) => msg === "mail-kept").length
}

function delivered(relay: RelayProgram): number {
  return relay.log.filter(({ msg }) => msg === "mail-delivered").length
}

function leadingTo(port: number): string {
  return `
listeners:
  smtp: { bind: "127.0.0.1:0", protocol: smtp }
friends:
  dave:
    domains: [dave.example]
    routes:
      smtp: { mode: peer, to: "127.0.0.1:${port}" }
`
}

async function swaks(relay: RelayProgram, to: string): Promise<string> {
  const server = ["--server", "127.0.0.1", "--port", String(relay.port("smtp"))]
  const { said } = await runClient("swaks", [...server, "--from", "carol@carol.example", "--to", to])
  return said
}
