import { describe, expect, test } from "@jest/globals"
import { ipAddress, type IpAddress } from "../../../../src/names/ip-address.ts"
import type { Route } from "../../../../src/route/route.ts"
import { desk, routesOf, routeTo } from "../../../support/delivery.ts"
import { eventually } from "../../../support/eventually.ts"
import { nextHop, type NextHop } from "../../../support/next-hop.ts"

describe("a route with XCLIENT", () => {
  const OFFER = ["PIPELINING", "XCLIENT NAME ADDR PORT PROTO HELO LOGIN"]
  const from = (address: string) => ({
    client: { address: ipAddress(address) as IpAddress, helo: "mx.sender.example", tls: undefined },
  })
  const commands = (hop: NextHop) =>
    hop.sessions.flatMap((session) => session.commands).filter((line) => /^(EHLO|XCLIENT|MAIL)/.test(line))

  test("tells the next hop who handed each message in, and is told of one visitor on a connection", async () => {
    await using hop = await nextHop({
      extensions: OFFER,
      on: (line) => (line.startsWith("XCLIENT") ? "220 hop" : undefined),
    })
    const nameBehind = async (address: string) =>
      address === "192.0.2.1"
        ? ({ kind: "name", name: "mx.sender.example" } as const)
        : ({ kind: address.includes(":") ? "none" : "unknown" } as const)
    await using at = await desk({ routeOf: routesOf(withXclient(routeTo(hop))), nameBehind })
    for (const address of ["192.0.2.1", "192.0.2.1", "2001:db8::7", "192.0.2.9"])
      await at.gone(await at.mail(from(address)))
    const [ehlo, told] = ["EHLO relay.bob.example", "EHLO mx.sender.example"]
    const mail = "MAIL FROM:<carol@sender.example>"
    const facts = "PORT=[UNAVAILABLE] PROTO=ESMTP LOGIN=[UNAVAILABLE] HELO=mx.sender.example"
    expect(commands(hop)).toEqual([
      ehlo,
      `XCLIENT NAME=mx.sender.example ADDR=192.0.2.1 ${facts}`,
      told,
      mail,
      mail,
      ehlo,
      `XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7 ${facts}`,
      told,
      mail,
      ehlo,
      `XCLIENT NAME=[TEMPUNAVAIL] ADDR=192.0.2.9 ${facts}`,
      told,
      mail,
    ])
    expect(hop.messages).toHaveLength(4)
  })

  test.each([
    ["does not offer it", ["PIPELINING"], "does not offer XCLIENT"],
    ["does not let us", OFFER, "550 5.7.0 not you"],
  ])("keeps the mail while the next hop %s", async (_, extensions, why) => {
    await using hop = await nextHop({
      extensions,
      on: (line) => (line.startsWith("XCLIENT") ? "550 5.7.0 not you" : undefined),
    })
    await using at = await desk({ routeOf: routesOf(withXclient(routeTo(hop))) })
    const id = await at.mail()
    await at.deferred(id)
    expect(await at.attempt(id)).toMatchObject({ at: "waiting", lastReply: expect.stringContaining(why) })
    expect(at.log.all("mail-later")[0]).toMatchObject({ code: "HOME_WITHOUT_XCLIENT" })
    expect(hop.messages).toEqual([])
  })

  test("hands over the relay's own notices in the relay's own name", async () => {
    await using hop = await nextHop({
      extensions: OFFER,
      on: (line) =>
        line.startsWith("XCLIENT") ? "220 hop" : line.startsWith("RCPT TO:<erin") ? "550 5.1.1 no" : undefined,
    })
    await using at = await desk({ routeOf: routesOf(withXclient(routeTo(hop))) })
    await at.gone(
      await at.mail({
        from: "dave@dave.example",
        recipients: [{ address: "erin@dave.example", notify: undefined, orcpt: undefined }],
      }),
    )
    await eventually("the notice arrives", () => hop.messages.length === 1)
    const own = hop.sessions.find(({ commands: lines }) => lines.includes("MAIL FROM:<>"))
    expect(own?.commands.filter((line) => line.startsWith("XCLIENT"))).toEqual([])
  })
})

function withXclient(route: Route): Route {
  const { carry } = route
  return carry.mode === "peer" && carry.as === "mail" ? { ...route, carry: { ...carry, xclient: true } } : route
}
