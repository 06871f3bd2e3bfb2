import { expect, test } from "@jest/globals"
import { OWN_MAIL, TLS_REPORTS, targetKey, targetOf, type Target } from "../../../../src/smtp/delivery/target.ts"
import { routesOf, routeFor, routeTo } from "../../../support/delivery.ts"

const route = routeTo({ port: 2525 })
const routeOf = routesOf(route)

test("a friend's mail goes along his route", () => {
  expect(target("dave", "dave@dave.example")).toMatchObject({ by: "route", friend: "dave", tls: "opportunistic" })
  expect(target("dave", '"a@b"@Dave.Example')).toMatchObject({ by: "route" })
})

test.each([
  ["of a domain without a route", "dave", "dave@elsewhere.example"],
  ["of another friend's domain", "erin", "dave@dave.example"],
  ["with no domain", "dave", "dave"],
  ["of an address literal", "dave", "dave@[192.0.2.1]"],
])("mail %s waits", (_, friend, address) => {
  expect(targetOf(friend, address, routeOf)).toMatchObject({ kind: "later", code: "NO_ROUTE" })
})

test("a notice of ours goes along a route where there is one, else by MX", () => {
  expect(target(OWN_MAIL, "dave@dave.example")).toMatchObject({ by: "route" })
  expect(target(OWN_MAIL, "carol@sender.example")).toEqual({ by: "mx", domain: "sender.example", tls: "published" })
  expect(targetOf(OWN_MAIL, "carol@[192.0.2.1]", routeOf)).toMatchObject({ kind: "refused", code: "DOMAIN_UNKNOWN" })
})

test("a report on TLS goes as a notice does, but is not held up by what is published", () => {
  const along = (tls: "published" | "dane-only") =>
    targetOf(TLS_REPORTS, "postmaster@dave.example", routesOf(routeFor(route.to, tls)))
  expect(along("published")).toMatchObject({ by: "route", tls: "opportunistic" })
  expect(along("dane-only")).toMatchObject({ by: "route", tls: "dane-only" })
  const [report, notice] = [TLS_REPORTS, OWN_MAIL].map((friend) => target(friend, "carol@sender.example"))
  expect(report).toEqual({ by: "mx", domain: "sender.example", tls: "opportunistic" })
  expect(report && targetKey(report)).not.toBe(notice && targetKey(notice))
})

test("a route that is not peer mail leads nowhere", () => {
  const dedicated = { ...route, carry: { mode: "dedicated", proxy: "none", otherwise: "refuse" } } as const
  expect(targetOf("dave", "dave@dave.example", () => dedicated)).toMatchObject({ code: "NO_ROUTE" })
})

test("a dedicated route whose friend allows it takes what could not be carried, with the PROXY header that it wants", () => {
  const dedicated = { ...route, carry: { mode: "dedicated", proxy: "v2", otherwise: "peer" } } as const
  expect(targetOf("dave", "dave@dave.example", () => dedicated)).toMatchObject({
    by: "route",
    tls: "opportunistic",
    hops: [{ kind: "tcp", proxy: "v2" }],
  })
})

test("who handed in what could not be carried is told by XCLIENT where the route says so; of our own notices there is nobody to tell", () => {
  const dedicated = {
    ...route,
    carry: { mode: "dedicated", proxy: "v2", otherwise: "peer", xclient: true },
  } as const
  expect(targetOf("dave", "dave@dave.example", () => dedicated)).toMatchObject({ xclient: true })
  expect(targetOf(OWN_MAIL, "dave@dave.example", () => dedicated)).toMatchObject({ xclient: false })
})

test("what differs in host, TLS or friend shares nothing", () => {
  const keys = [
    routeTo({ port: 1 }),
    routeTo({ port: 2 }),
    routeTo({ port: 1 }, "verify"),
    routeFor({ kind: "box", service: "smtp" }),
  ].map((one) => targetKey(resolved(targetOf("dave", "a@dave.example", () => one))))
  expect(new Set(keys).size).toBe(4)
})

function target(friend: string, address: string): Target {
  return resolved(targetOf(friend, address, routeOf))
}

function resolved(found: ReturnType<typeof targetOf>): Target {
  if (!("by" in found)) throw new Error(found.kind)
  return found
}
