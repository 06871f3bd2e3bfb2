import { describe, expect, test } from "@jest/globals"
import { ipAddress, type IpAddress } from "../../../../src/names/ip-address.ts"
import { KEYS_MAX } from "../../../../src/net/minute-count.ts"
import { Rates } from "../../../../src/smtp/intake/rates.ts"
import { handClock } from "../../../support/hand-clock.ts"
import { SmtpClient, startMailHost } from "../../../support/smtp-dialogue.ts"

const MINUTE_MS = 60_000
const CAROL = address("203.0.113.5")

describe("rates", () => {
  test("let so many come in a minute, and again in the next", async () => {
    const { rates, clock } = started({ mailsPerSourcePerMinuteMax: 2 })
    const code = () => rates.mail(CAROL)?.code
    expect([code(), code(), code(), code()]).toEqual([undefined, undefined, "MAILS_TOO_OFTEN", "MAILS_TOO_OFTEN"])
    await clock.turn(MINUTE_MS)
    expect([code(), code(), code()]).toEqual([undefined, undefined, "MAILS_TOO_OFTEN"])
  })

  test("take an IPv6 site for one source, and others for others", () => {
    const { rates } = started({ connectionsPerSourcePerMinuteMax: 1 })
    const from = (text: string) => rates.connection(address(text))?.code
    expect(from("2001:db8:1:2::1")).toBeUndefined()
    expect(from("2001:db8:1:2:ffff::9")).toBe("CONNECTS_TOO_OFTEN")
    expect(from("2001:db8:1:3::1")).toBeUndefined()
    expect([from("203.0.113.5"), from("203.0.113.6"), from("203.0.113.5")]).toEqual([
      undefined,
      undefined,
      "CONNECTS_TOO_OFTEN",
    ])
  })

  test("one friend's flood is not another's", () => {
    const { rates } = started({ mailsPerFriendPerMinuteMax: 1 })
    expect(rates.mailFor("alice", CAROL)).toBeUndefined()
    expect(rates.mailFor("alice", address("198.51.100.9"))?.code).toBe("FRIEND_GETS_TOO_MUCH")
    expect(rates.mailFor("dave", CAROL)).toBeUndefined()
  })

  test("do not count this machine", () => {
    const { rates } = started({ mailsPerSourcePerMinuteMax: 1 })
    for (const own of ["127.0.0.1", "127.8.9.1", "::1"]) {
      expect([rates.mail(address(own)), rates.mail(address(own))]).toEqual([undefined, undefined])
    }
  })

  test("remember no more sources than they have room for: later ones pass, and who was known is still held", () => {
    const { rates } = started({ mailsPerSourcePerMinuteMax: 1 })
    for (let source = 0; source < KEYS_MAX; source++)
      rates.mail(address(`10.${source >> 16}.${(source >> 8) & 255}.${source & 255}`))
    expect([rates.mail(CAROL), rates.mail(CAROL)]).toEqual([undefined, undefined])
    expect(rates.mail(address("10.0.0.0"))?.code).toBe("MAILS_TOO_OFTEN")
  })

  test("a clock that is set back begins a new minute", async () => {
    const { rates, clock } = started({ mailsPerSourcePerMinuteMax: 1 })
    expect(rates.mail(CAROL)).toBeUndefined()
    await clock.turn(-10 * MINUTE_MS)
    expect(rates.mail(CAROL)).toBeUndefined()
  })
})

describe("a mail server with rates", () => {
  test("answers one message too many with 450, and takes it a minute later", async () => {
    const { rates, clock } = started({ mailsPerSourcePerMinuteMax: 1, mailsPerFriendPerMinuteMax: 1_000 })
    const refused: string[] = []
    await using host = await startMailHost({ rates, from: CAROL, refused: (why) => refused.push(why) })
    using carol = await SmtpClient.greeted(host.port)
    expect(await carol.says("MAIL FROM:<c@x.example>", "RSET", "MAIL FROM:<c@x.example>")).toMatch(/^450 4\.7\.1 /)
    await clock.turn(MINUTE_MS)
    expect(await carol.says("MAIL FROM:<c@x.example>")).toMatch(/^250 /)
    expect(refused).toEqual(["MAILS_TOO_OFTEN"])
  })

  test("answers one connection too many with 421", async () => {
    const { rates } = started({ connectionsPerSourcePerMinuteMax: 1 })
    await using host = await startMailHost({ rates, from: CAROL })
    using _first = await SmtpClient.greeted(host.port)
    using second = SmtpClient.ungreeted(host.port)
    expect(await second.reply()).toMatch(/^421 4\.7\.0 Too many connections/)
    expect(await second.reply()).toBe("closed")
  })

  test("counts a friend once for each message, and refuses before his server hears of it", async () => {
    const { rates } = started({ mailsPerFriendPerMinuteMax: 1 })
    await using host = await startMailHost({ rates, from: CAROL })
    using carol = await SmtpClient.greeted(host.port)
    await carol.says("MAIL FROM:<c@x.example>")
    expect(await carol.says("RCPT TO:<a@dave.example>", "RCPT TO:<b@dave.example>")).toMatch(/^250 /)
    await carol.says("RSET", "MAIL FROM:<c@x.example>")
    expect(await carol.says("RCPT TO:<a@dave.example>")).toMatch(/^450 4\.7\.1 Too many messages for this/)
    expect(await carol.says("RCPT TO:<alice@alice.example>")).toMatch(/^250 /)
  })
})

function started(limits: Partial<ReturnType<ConstructorParameters<typeof Rates>[0]>>) {
  const clock = handClock()
  const many = {
    connectionsPerSourcePerMinuteMax: 1_000,
    mailsPerSourcePerMinuteMax: 1_000,
    mailsPerFriendPerMinuteMax: 1_000,
  }
  return { rates: new Rates(() => ({ ...many, ...limits }), clock), clock }
}

function address(text: string): IpAddress {
  return ipAddress(text) as IpAddress
}
