import { createHmac } from "node:crypto"
import { connect } from "node:net"
import { describe, expect, test } from "@jest/globals"
import { systemClock } from "../../../../src/clock/clock.ts"
import { fault } from "../../../../src/faults/faults.ts"
import { ipAddress, type IpAddress } from "../../../../src/names/ip-address.ts"
import { LOAN_LINGER_MS } from "../../../../src/smtp/delivery/loan.ts"
import { Waking, WRONG_LOGINS_PER_MINUTE_MAX, type WakingOptions } from "../../../../src/smtp/intake/waking.ts"
import { BOB, desk, routesOf, routeTo, type Desk } from "../../../support/delivery.ts"
import { eventually } from "../../../support/eventually.ts"
import { keyPair } from "../../../support/key-pair.ts"
import { nextHop } from "../../../support/next-hop.ts"
import { freePort } from "../../../support/program.ts"
import { SmtpClient, startMailHost, type MailHost } from "../../../support/smtp-dialogue.ts"

const DAVES = "203.0.113.9" as IpAddress
const STRANGERS = ipAddress("198.51.100.1") as IpAddress
const SECRET = "a secret of dave's"

describe("ETRN", () => {
  test("has the friend's mail sent at once when his own server asks, and nobody else's", async () => {
    const woken: string[] = []
    await using host = await waking({ wakers: () => ["dave"], wake: async (friend) => void woken.push(friend) })
    using server = await SmtpClient.connect(host.port)
    expect(await server.says("EHLO mx.dave.example")).toMatch(/^250[- ]ETRN$/m)
    expect(await server.says("ETRN dave.example")).toBe("250 2.0.0 Queuing for dave.example started")
    expect(await server.says("ETRN @dave.example")).toMatch(/^250 /)
    for (const foreign of ["alice.example", "stranger.example", "#queue"]) {
      expect(await server.says(`ETRN ${foreign}`)).toMatch(/^459 4\.7\.1 /)
    }
    expect(await server.says("ETRN")).toMatch(/^500 /)
    expect(woken).toEqual(["dave", "dave"])
  })

  test("is a word that strangers do not know, whosever name they say", async () => {
    await using host = await waking({ wakers: (address) => (address === DAVES ? ["dave"] : []) })
    using stranger = await SmtpClient.connect(host.port)
    expect(await stranger.says("EHLO mx.stranger.example")).not.toMatch(/ETRN|ATRN|AUTH/)
    const nonsense = await stranger.says("XYZZY dave.example")
    for (const word of ["ETRN dave.example", "ETRN nobody.example", "ATRN", "AUTH CRAM-MD5", "AUTH PLAIN AGEAYg=="]) {
      expect([word, await stranger.says(word)]).toEqual([word, nonsense])
    }
  })

  test("says 458 when the spool fails", async () => {
    await using host = await waking({ wakers: () => ["dave"], wake: () => Promise.reject(new Error("disk")) })
    using server = await SmtpClient.greeted(host.port)
    expect(await server.says("ETRN dave.example")).toMatch(/^458 4\.3\.0 /)
  })
})

describe("logging in", () => {
  test("is offered where mail is fetched alone, and no password in the clear", async () => {
    const tls = await keyPair("relay.bob.example")
    await using host = await waking({ isFetchedAt: () => true }, { tls })
    using server = await SmtpClient.connect(host.port)
    expect(await server.says("EHLO mx.dave.example")).toMatch(/^250[- ]AUTH CRAM-MD5$/m)
    expect(await server.says("AUTH PLAIN AGRhdmUAeA==")).toMatch(/^504 5\.5\.4 /)
    await server.startTls()
    expect(await server.says("EHLO mx.dave.example")).toMatch(/^250[- ]AUTH CRAM-MD5 PLAIN$/m)
    const plain = Buffer.from(`\0dave\0${SECRET}`).toString("base64")
    expect(await server.says(`AUTH PLAIN ${plain}`)).toBe("235 2.7.0 You are known")
  })

  test("before STARTTLS counts no more behind it", async () => {
    await using host = await waking({ isFetchedAt: () => true }, { tls: await keyPair("relay.bob.example") })
    using server = await SmtpClient.greeted(host.port)
    expect(await loginAs(server, "dave", SECRET)).toMatch(/^235 /)
    await server.startTls()
    await server.says("EHLO mx.dave.example")
    expect(await server.says("ATRN")).toMatch(/^530 5\.7\.0 /)
  })

  test("a wrong secret and an unknown friend are told the same", async () => {
    await using host = await waking({ isFetchedAt: () => true })
    using server = await SmtpClient.greeted(host.port)
    const wrong = await loginAs(server, "dave", "another")
    expect(wrong).toMatch(/^535 5\.7\.8 /)
    expect(await loginAs(server, "alice", SECRET)).toBe(wrong)
    expect(await loginAs(server, "nobody", SECRET)).toBe(wrong)
    expect(await server.says("ATRN")).toMatch(/^530 /)
  })

  test("is over for a minute after some wrong secrets, also for the right one", async () => {
    await using host = await waking({ isFetchedAt: () => true })
    using server = await SmtpClient.greeted(host.port)
    for (let tries = 0; tries < WRONG_LOGINS_PER_MINUTE_MAX; tries++) {
      expect(await loginAs(server, "dave", `wrong ${tries}`)).toMatch(/^535 /)
    }
    expect(await loginAs(server, "dave", SECRET)).toMatch(/^421 4\.7\.0 /)
    using again = await SmtpClient.greeted(host.port)
    expect(await loginAs(again, "dave", SECRET)).toMatch(/^421 4\.7\.0 /)
  })
})

describe("ATRN", () => {
  test("turns the connection round, and what waits comes over it, oldest first; nothing is dialled", async () => {
    await using at = await deskWithoutHop()
    const ids = [await at.mail({}, "Subject: one\r\n\r\n1\r\n"), await at.mail({}, "Subject: two\r\n\r\n2\r\n")]
    for (const id of ids) await at.deferred(id)
    await using host = await fetchingFrom(at)
    await using home = await nextHop()
    using server = await SmtpClient.greeted(host.port)
    expect(await loginAs(server, "dave", SECRET)).toMatch(/^235 /)
    expect(await server.says("ATRN dave.example")).toBe("250 2.0.0 Now you are the server")
    server.becomes(connect(home.port, "127.0.0.1"))
    await eventually("both are home", () => home.messages.length === 2)
    expect(home.messages.map(({ content }) => /Subject: (\w+)/.exec(String(content))?.[1])).toEqual(["one", "two"])
    await eventually("it says goodbye", async () => {
      await at.clock.turn(LOAN_LINGER_MS)
      return home.sessions[0]?.commands.at(-1) === "QUIT"
    })
    expect(await at.spool.list()).toEqual([])
  })

  test("leaves what needs checked TLS, and other friends' mail, where it is", async () => {
    await using at = await deskWithoutHop()
    const [held, alices, daves] = [
      await at.mail({ requireTls: true }),
      await at.mail({ friend: "alice" }),
      await at.mail(),
    ]
    for (const id of [held, alices, daves]) await at.deferred(id)
    await using host = await fetchingFrom(at)
    await using home = await nextHop()
    using server = await SmtpClient.greeted(host.port)
    await loginAs(server, "dave", SECRET)
    await server.says("ATRN")
    server.becomes(connect(home.port, "127.0.0.1"))
    await at.gone(daves)
    expect(home.messages).toHaveLength(1)
    expect((await at.spool.list()).map(({ id }) => id).toSorted()).toEqual([held, alices].toSorted())
  })

  test("what breaks off in the middle waits and is not lost", async () => {
    await using at = await deskWithoutHop()
    const id = await at.mail()
    await at.deferred(id)
    await using host = await fetchingFrom(at)
    await using home = await nextHop({ on: (command) => (command === "." ? "reset" : undefined) })
    using server = await SmtpClient.greeted(host.port)
    await loginAs(server, "dave", SECRET)
    await server.says("ATRN")
    server.becomes(connect(home.port, "127.0.0.1"))
    await eventually("it was asked", () => home.sessions.length === 1)
    await eventually("it waits again", async () => {
      const attempt = await at.attempt(id)
      return attempt?.at === "waiting" && attempt.tries === 2
    })
  })

  test.each([
    ["another friend's domain", "ATRN dave.example,alice.example", /^450 4\.7\.1 /],
    ["no domain", "ATRN not_a/domain", /^500 /],
  ])("refuses %s", async (_, line, refusal) => {
    await using at = await deskWithoutHop()
    await at.mail()
    await using host = await fetchingFrom(at)
    using server = await SmtpClient.greeted(host.port)
    await loginAs(server, "dave", SECRET)
    expect(await server.says(line)).toMatch(refusal)
  })

  test("says why nothing can be fetched now", async () => {
    const hindrance = async () => fault("NOTHING_TO_FETCH", "dave")
    await using host = await waking({ isFetchedAt: () => true, hindrance })
    using server = await SmtpClient.greeted(host.port)
    await loginAs(server, "dave", SECRET)
    expect(await server.says("ATRN")).toMatch(/^453 4\.2\.0 /)
    expect(await server.says("MAIL FROM:<>", "RCPT TO:<x@dave.example>")).toMatch(/^250 /)
  })
})

/** Dave's server cannot be reached. */
async function deskWithoutHop(): Promise<Desk> {
  return desk({ routeOf: routesOf(routeTo({ port: await freePort() })) })
}

function fetchingFrom({ delivery }: Desk): Promise<MailHost> {
  return waking({
    isFetchedAt: () => true,
    turned: (fetching, socket) => void delivery.fetch({ ...fetching, socket }).finally(() => socket.destroySoon()),
  })
}

function waking(different: Partial<WakingOptions>, more: Parameters<typeof startMailHost>[0] = {}): Promise<MailHost> {
  const options: WakingOptions = {
    name: BOB,
    clock: systemClock,
    wakers: () => [],
    isOf: (friend, domain) => domain === `${friend}.example`,
    wake: async () => {},
    isFetchedAt: () => false,
    secretOf: async (friend) => (friend === "dave" ? SECRET : undefined),
    hindrance: async () => undefined,
    turned: () => {},
    ...different,
  }
  return startMailHost({ from: STRANGERS, ...more, waking: new Waking(options) })
}

async function loginAs(client: SmtpClient, name: string, secret: string): Promise<string> {
  const challenge = await client.says("AUTH CRAM-MD5")
  if (!challenge.startsWith("334 ")) return challenge
  const digest = createHmac("md5", secret)
    .update(Buffer.from(challenge.slice(4), "base64"))
    .digest("hex")
  return client.says(Buffer.from(`${name} ${digest}`).toString("base64"))
}
