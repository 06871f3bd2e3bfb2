/** The friend's own filter judges the true client: Postfix at home, told by XCLIENT who handed the mail to the relay. */
import { expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { eventually } from "../support/eventually.ts"
import { withJudges } from "../support/judge.ts"
import { startPostfix } from "../support/postfix.ts"
import { freePort } from "../support/program.ts"
import { startRelayProgram, type RelayProgram } from "../support/relay-program.ts"

withJudges(["postfix", "swaks"], () => {
  test("Postfix sees each client, and refuses the one that it does not want", async () => {
    const home = await freePort()
    await using dave = await postfixAt(home, ["smtpd_authorized_xclient_hosts = 127.0.0.1"])
    await using relay = await startRelayProgram(leadingTo(home, "xclient: true, cut-through: false"))
    for (const client of ["127.0.0.11", "127.0.0.12", "127.0.0.66"]) {
      expect(await swaks(relay, client, `from ${client}`)).toMatchObject({ exitCode: 0 })
    }
    await eventually("two are there", async () => (await dave.mailbox()).length === 2)
    await relay.logged("mail-refused", { code: "HOME_REFUSES" })
    const log = await dave.log()
    for (const client of ["127.0.0.11", "127.0.0.12"]) expect(log).toMatch(new RegExp(`client=\\S*\\[${client}\\]`))
    expect(log).toMatch(/NOQUEUE: reject: RCPT from \S*\[127\.0\.0\.66\]: 554 .*Client host rejected/)
    expect(log).toMatch(/helo=<mail\.sender\.example>/)
    expect(log).not.toContain("insufficient authorization")
    const mail = (await dave.mailbox()).join()
    expect(mail).toMatch(/Received: from mail\.sender\.example \(\S+ \[127\.0\.0\.11\]\)/)
  })

  test("while its sender waits: Postfix refuses the one that it does not want, and he hears it himself", async () => {
    const home = await freePort()
    await using dave = await postfixAt(home, ["smtpd_authorized_xclient_hosts = 127.0.0.1"])
    await using relay = await startRelayProgram(leadingTo(home, "xclient: true"))
    expect(await swaks(relay, "127.0.0.11", "wanted")).toMatchObject({ exitCode: 0 })
    const refused = await swaks(relay, "127.0.0.66", "unwanted")
    expect(refused.exitCode).not.toBe(0)
    expect(refused.said).toMatch(/<\*\* 554 5\.7\.1 .*Client host rejected/)
    await eventually("the other one is there", async () => (await dave.mailbox()).length === 1)
    expect(await dave.log()).toMatch(/client=\S*\[127\.0\.0\.11\]/)
    expect(relay.log.filter(({ msg }) => msg === "mail-kept")).toEqual([])
  })

  test("a Postfix that does not know us as a proxy gets no mail, and the queue says why", async () => {
    const home = await freePort()
    await using dave = await postfixAt(home, [])
    await using relay = await startRelayProgram(leadingTo(home, "xclient: true, cut-through: false"))
    expect(await swaks(relay, "127.0.0.11", "noon")).toMatchObject({ exitCode: 0 })
    expect(await relay.logged("mail-later")).toMatchObject({
      code: "HOME_WITHOUT_XCLIENT",
      why: expect.stringContaining("does not offer XCLIENT"),
    })
    expect(await dave.mailbox()).toEqual([])
  })

  test("the wrong world: without XCLIENT the relay is the client, and the one that is not wanted comes in", async () => {
    const home = await freePort()
    await using dave = await postfixAt(home, [])
    await using relay = await startRelayProgram(leadingTo(home))
    expect(await swaks(relay, "127.0.0.66", "unwanted")).toMatchObject({ exitCode: 0 })
    await eventually("it is there", async () => (await dave.mailbox()).length === 1)
    expect(await dave.log()).toMatch(/client=\S*\[127\.0\.0\.1\]/)
  })
})

/** Dave wants nothing from 127.0.0.66. */
async function postfixAt(port: number, more: readonly string[]) {
  const postfix = await startPostfix({
    listen: { address: "127.0.0.1", port },
    domains: ["dave.example"],
    more: ["smtpd_client_restrictions = check_client_access inline:{127.0.0.66=REJECT}", ...more],
  })
  return Object.assign(postfix, { [Symbol.asyncDispose]: () => postfix.stop() })
}

function leadingTo(home: number, more = ""): string {
  const route = `{ mode: peer, to: "127.0.0.1:${home}"${more && `, ${more}`} }`
  return `listeners: { smtp: { bind: ["127.0.0.1:0"], protocol: smtp } }
friends: { dave: { domains: [dave.example], routes: { smtp: ${route} } } }
`
}

function swaks(relay: RelayProgram, client: string, body: string) {
  const server = ["--server", `127.0.0.1:${relay.port("smtp")}`, "--local-interface", client]
  const envelope = ["--helo", "mail.sender.example", "--from", "<>", "--to", "dave@dave.example", "--body", body]
  return runClient("swaks", [...server, ...envelope])
}
