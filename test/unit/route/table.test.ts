import { describe, expect, test } from "@jest/globals"
import { hostname, hostPattern } from "../../../src/names/hostname.ts"
import { ipAddress } from "../../../src/names/ip-address.ts"
import { routeName, type Match, type Route } from "../../../src/route/route.ts"
import { RouteTable } from "../../../src/route/table.ts"

describe("a name", () => {
  const table = new RouteTable([
    route("alice", "https", { by: "sni", names: patterns("alice.example", "*.alice.example") }),
    route("dave", "https", { by: "sni", names: patterns("shop.alice.example", "*.dave.example") }),
    route("carol", "imaps", { by: "sni", names: patterns("carol.example") }),
  ])
  const found = (name: string, listener = "https") => table.bySni(listener, host(name))?.friend

  test("leads to the friend who has exactly that name", () => {
    expect(found("alice.example")).toBe("alice")
  })

  test("leads to the wildcard one label up", () => {
    expect(found("www.alice.example")).toBe("alice")
  })

  test("is looked for exactly before any wildcard", () => {
    expect(found("shop.alice.example")).toBe("dave")
  })

  test("two labels below a wildcard leads nowhere", () => {
    expect(found("a.b.alice.example")).toBeUndefined()
  })

  test("that a wildcard hangs below is not covered by it", () => {
    expect(found("dave.example")).toBeUndefined()
  })

  test("that nobody has leads nowhere", () => {
    expect(found("stranger.example")).toBeUndefined()
    expect(found("example")).toBeUndefined()
  })

  test("leads nowhere on another listener", () => {
    expect(found("carol.example")).toBeUndefined()
    expect(found("carol.example", "imaps")).toBe("carol")
  })
})

describe("what a name was read from", () => {
  const table = new RouteTable([
    route("alice", "mail", { by: "starttls-sni", names: patterns("mx.friend.example") }),
    route("dave", "mail", { by: "recipient", domains: patterns("mx.friend.example") }),
    route("carol", "mail", { by: "host", names: patterns("mx.friend.example") }),
  ])

  test("decides which routes are asked", () => {
    expect(table.byStartTlsSni("mail", host("mx.friend.example"))?.friend).toBe("alice")
    expect(table.byRecipient("mail", host("mx.friend.example"))?.friend).toBe("dave")
    expect(table.byHost("mail", host("mx.friend.example"))?.friend).toBe("carol")
    expect(table.bySni("mail", host("mx.friend.example"))).toBeUndefined()
  })

  test("tells whether a listener needs to speak STARTTLS at all", () => {
    expect(table.hasStartTls("mail")).toBe(true)
    expect(table.hasStartTls("https")).toBe(false)
  })
})

describe("at accept", () => {
  const own: Match = { by: "address", addresses: [address("192.0.2.7"), address("2001:db8::a")] }
  const table = new RouteTable([
    route("alice", "https", own),
    route("dave", "ssh", { by: "port" }),
    route("alice", "ssh", own),
  ])

  test("a friend's own address is theirs", () => {
    expect(table.atAccept("https", address("192.0.2.7"))?.friend).toBe("alice")
    expect(table.atAccept("https", address("2001:db8::a"))?.friend).toBe("alice")
  })

  test("an address of nobody leads nowhere yet", () => {
    expect(table.atAccept("https", address("192.0.2.8"))).toBeUndefined()
  })

  test("a friend's port is theirs at every address", () => {
    expect(table.atAccept("ssh", address("192.0.2.8"))?.friend).toBe("dave")
  })

  test("a friend's own address goes before somebody else's port", () => {
    expect(table.atAccept("ssh", address("192.0.2.7"))?.friend).toBe("alice")
  })
})

test("a route is called by its friend and listener", () => {
  expect(routeName({ friend: "alice", listener: "https" })).toBe("alice/https")
})

function route(friend: string, listener: string, ...matches: Match[]): Route {
  return {
    friend,
    listener,
    protocol: "tls",
    matches,
    carry: { mode: "dedicated", proxy: "none", otherwise: "refuse" },
    to: { kind: "box", service: listener },
  }
}

function host(text: string) {
  return known(hostname(text))
}

function address(text: string) {
  return known(ipAddress(text))
}

function patterns(...texts: string[]) {
  return texts.map((text) => known(hostPattern(text)))
}

function known<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("the test's own data is wrong")
  return value
}
