import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { readFileSync } from "node:fs"
import { parse } from "yaml"
import { DEFAULT_LIMITS, routesOf, type Config } from "../../../src/config/config.ts"
import { configFaultText, readConfig } from "../../../src/config/read-config.ts"
import { describeRoute } from "../../../src/route/describe.ts"
import { DESIGN_CONFIG } from "../../support/config-text.ts"

type FaultCase = { name: string; change: string; to: string; at: string; wrong: string; right: string }

function configOf(text: string): Config {
  const read = readConfig(text, "/etc/waypost/relay.yaml")
  if (read.kind === "faults") throw new Error(read.faults.map(configFaultText).join("\n"))
  return read.config
}

function faultsOf(text: string): readonly string[] {
  const read = readConfig(text, "relay.yaml")
  return read.kind === "faults" ? read.faults.map(configFaultText) : []
}

/** The design's file with one piece of text changed. */
function changed(from: string, to: string): string {
  expect(DESIGN_CONFIG).toContain(from)
  return DESIGN_CONFIG.replace(from, to)
}

const AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

describe("a file without faults", () => {
  const config = configOf(DESIGN_CONFIG)

  test("becomes routes that say how they are found, carried and where they go", () => {
    expect(config.friends.flatMap((friend) => friend.routes.map(describeRoute))).toEqual([
      "alice/https: dedicated by own address 203.0.113.7, or SNI alice.example, *.alice.example → 10.0.0.5:443 with PROXY v2",
      "alice/smtp: dedicated by own address 203.0.113.7, 2001:db8:1::a → 10.0.0.5:25",
      "dave/smtp: peer mail by recipients at dave.example → mx.dave.example:25",
      "dave/http: peer web by Host dave.example → 10.0.0.9:8080",
      "dave/https: dedicated by SNI dave.example → the box's tunnel (https)",
    ])
  })

  test("has its state folder beside the file", () => {
    expect(config.relay.state).toBe("/etc/waypost/state")
  })

  test("keeps the limits it does not name", () => {
    expect(config.limits).toEqual(DEFAULT_LIMITS)
  })

  test("changes the limits it names, in units people write", () => {
    const text = `${DESIGN_CONFIG}limits: { hello-deadline: 5s, message-max: 20 MiB, connections-max: 100, mail-lifetime: 3w }\n`
    expect(configOf(text).limits).toEqual({
      ...DEFAULT_LIMITS,
      helloDeadlineMs: 5_000,
      messageBytesMax: 20_971_520,
      connectionsMax: 100,
      mailLifetimeMs: 21 * 86_400_000,
    })
  })

  test("needs no friends, no state and no admin", () => {
    const { friends, relay } = configOf("relay: { name: r.example }\nlisteners: {}\n")
    expect(friends).toEqual([])
    expect(relay).toEqual({ name: "r.example", state: "/etc/waypost/state", admin: undefined, tellSenders: "nobody" })
  })

  test("may bind one address without a list, and port 0 twice", () => {
    const { listeners } = configOf(`relay: { name: r.example }
listeners: { a: { bind: "127.0.0.1:0", protocol: tls }, b: { bind: "127.0.0.1:0", protocol: http } }`)
    expect(listeners.map(({ bind }) => bind)).toEqual([
      [{ address: "127.0.0.1", port: 0 }],
      [{ address: "127.0.0.1", port: 0 }],
    ])
  })

  test("tries several addresses of one backend in their order", () => {
    const config = configOf(changed('to: "10.0.0.5:443"', 'to: ["10.0.0.5:443", "10.0.0.6:443"]'))
    expect(describeRoute(config.friends[0]?.routes[0] ?? raise())).toContain("→ 10.0.0.5:443, then 10.0.0.6:443")
  })

  test("finds everything on a friend's own port", () => {
    const text = changed(
      "otherwise: refuse }",
      'otherwise: refuse }\n      ssh-a: { mode: dedicated, to: "10.0.0.5:22" }',
    )
    expect(matchesOf(text, "alice", "ssh-a")).toEqual(["address", "port"])
  })
})

function matchesOf(text: string, friend: string, listener: string): readonly string[] {
  const routes = configOf(text).friends.find(({ name }) => name === friend)?.routes ?? []
  return routes
    .filter((route) => route.listener === listener)
    .flatMap((route) => route.matches.map((match) => match.by))
}

function raise(): never {
  throw new Error("no such route")
}

describe("outgoing mail", () => {
  const file = (friend: string, listeners = "") => `
relay: { name: relay.bob.example }
listeners: { tunnel: { bind: "0.0.0.0:7443", protocol: tunnel }${listeners} }
friends: { alice: { ${friend} } }
`
  const sent = (friend: string) => {
    const read = readConfig(file(friend), "relay.yaml")
    return read.kind === "config" ? read.config.friends[0]?.outgoingMail : read.faults.map(({ wrong }) => wrong)
  }

  test("is off, on with limits of ours, or on with others, and needs no listener at its address", () => {
    expect(sent("domains: [alice.example]")).toBeUndefined()
    expect(sent("addresses: [203.0.113.7], outgoing-mail: true")).toEqual({
      connectionsMax: 20,
      connectionsPerHourMax: 500,
    })
    expect(sent("addresses: [203.0.113.7], outgoing-mail: { connections-max: 3 }")).toEqual({
      connectionsMax: 3,
      connectionsPerHourMax: 500,
    })
  })

  test("needs an address of the friend's own, and its name is no listener's", () => {
    expect(sent("outgoing-mail: true")).toEqual(["alice has no address to send from"])
    const taken = readConfig(file("", ', outgoing-mail: { bind: "0.0.0.0:25", protocol: smtp }'), "relay.yaml")
    expect(taken).toMatchObject({ faults: [{ wrong: '"outgoing-mail" is what friends\' outgoing mail is called' }] })
  })
})

describe("protocols that begin in the clear", () => {
  const VILLAGE = (carry: string) => `relay: { name: r.example }
listeners: { imap: { bind: "127.0.0.1:0", protocol: imap }, smtp: { bind: "127.0.0.1:0", protocol: smtp } }
friends: { alice: { domains: [mx.alice.example], routes: { ${carry} } } }
`

  test("are found by the name behind STARTTLS, and a mail server may be told the sender by XCLIENT", () => {
    const text = VILLAGE(
      'imap: { mode: dedicated, to: "h:143", proxy: v2 }, smtp: { mode: dedicated, to: "h:25", proxy: xclient }',
    )
    const routes = configOf(text).friends.flatMap((friend) => friend.routes.map(describeRoute))
    expect(routes).toEqual([
      "alice/imap: dedicated by SNI after STARTTLS mx.alice.example → h:143 with PROXY v2",
      "alice/smtp: dedicated by SNI after STARTTLS mx.alice.example → h:25 with XCLIENT",
    ])
  })

  test.each([
    ["proxy: xclient", " with XCLIENT", true],
    ["proxy: xclient, xclient: false", " with XCLIENT", false],
    ["proxy: v2", " with PROXY v2", false],
    ["proxy: v2, xclient: true", " with PROXY v2 with XCLIENT where the relay is the end", true],
    ["xclient: true", " with XCLIENT where the relay is the end", true],
  ])(
    "with otherwise: peer, %s says who the friend's server is told handed in what ends here",
    (told, text, xclient) => {
      const [route] = routesOf(configOf(VILLAGE(`smtp: { mode: dedicated, to: "h:25", otherwise: peer, ${told} }`)))
      expect(route?.carry).toMatchObject({ mode: "dedicated", otherwise: "peer" })
      expect(route && "xclient" in route.carry).toBe(xclient)
      expect(route && describeRoute(route)).toMatch(new RegExp(`→ h:25${text}$`))
    },
  )

  test.each([
    ['imap: { mode: peer, to: "h:143" }', "peer is not possible on protocol imap; dedicated: people log in there"],
    ['imap: { mode: dedicated, to: "h:143", otherwise: refuse }', "otherwise means nothing on a dedicated imap route"],
    ['imap: { mode: dedicated, to: "h:143", proxy: xclient }', "xclient is not possible on imap; v1 or v2"],
    ['imap: { mode: dedicated, to: "h:143", xclient: true }', "xclient means nothing on a dedicated imap route"],
    ['smtp: { mode: dedicated, to: "h:25", xclient: true }', "xclient means nothing where no mail ends at the relay"],
    [
      `smtp: { mode: peer, to: "h:25", seal: ${AGE} }`,
      "sealed mail can only go to the friend's box, which opens it; to: box",
    ],
    [`smtp: { mode: dedicated, to: "h:25", seal: ${AGE} }`, "seal means nothing on a dedicated smtp route"],
    [`smtp: { mode: peer, to: "h:25", seal: ${AGE}x }`, "is not an age recipient"],
  ])("%s is a fault", (carry, told) => {
    expect(faultsOf(VILLAGE(carry))).toEqual([expect.stringContaining(told)])
  })

  test("results of authentication cannot stand above what is sealed", () => {
    const both = faultsOf(VILLAGE(`smtp: { mode: peer, to: box, seal: ${AGE}, authenticate: true }`))
    expect(both).toContainEqual(
      expect.stringContaining("results cannot be put above sealed mail; seal or authenticate"),
    )
  })
})

describe("a fault names its place, what is wrong and what would be right:", () => {
  const cases = parse(readFileSync("test/vectors/config-faults.yaml", "utf8")) as readonly FaultCase[]

  test.each(cases)("$name", ({ change, to, at, wrong, right }) => {
    const text = changed(change, to)
    const read = readConfig(text, "relay.yaml")
    const found = read.kind === "faults" ? read.faults : []
    const lines = text.split("\n")
    const told = found.map((fault) => ({
      at: lines[fault.line - 1]?.slice(fault.column - 1).slice(0, at.length),
      wrong: fault.wrong,
      right: fault.right,
    }))
    expect(told).toContainEqual({ at, wrong, right })
  })

  test("a limit without a unit", () => {
    expect(
      faultsOf(`${DESIGN_CONFIG}limits: { idle-deadline: 10, message-max: 50M, connect-deadline: 30d }\n`),
    ).toEqual([
      "relay.yaml:28:26: idle-deadline is 10; a number and ms, s, m, h or d, as in 10s; at most 24d",
      'relay.yaml:28:43: "50M" is not a size; a number and kB, MB, GB or KiB, MiB, GiB, as in 50MB',
      'relay.yaml:28:66: "30d" is not a duration that a deadline can have; a number and ms, s, m, h or d, as in 10s; at most 24d',
    ])
  })

  test.each([
    ["rate: 10", "rate is 10"],
    ["rate: 10MB", '"10MB" is not a rate'],
    ["rate: 999B/s", '"999B/s" is not a rate'],
    ["rate: 2000TB/s", '"2000TB/s" is not a rate'],
  ])("a friend's %s", (written, wrong) => {
    const text = `relay: { name: r.example }\nlisteners: {}\nfriends:\n  alice:\n    ${written}\n`
    const right = "a number and kB/s, MB/s or GB/s, or kbit/s, Mbit/s or Gbit/s, as in 10MB/s; at least 1kB/s"
    expect(faultsOf(text)).toEqual([`relay.yaml:5:11: ${wrong}; ${right}`])
  })

  test("an empty file", () => {
    expect(faultsOf("# nothing yet\n")).toEqual([
      "relay.yaml:1:1: the file is empty; a map with relay, listeners and friends; see examples/",
    ])
  })

  test("a text that is not YAML", () => {
    expect(faultsOf("relay: { name: [\n")[0]).toMatch(/^relay\.yaml:\d+:\d+: not YAML: /)
  })

  test("a thousand aliases in a thousand are not unfolded", () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) => `l${level + 1}: &l${level + 1} [${Array(10).fill(`*l${level}`).join(", ")}]`,
    )
    expect(faultsOf(`l0: &l0 x\n${levels.join("\n")}\n`)[0]).toMatch(/Excessive alias count/)
  })
})

test("all faults of a file are told at once, in the order in which they stand", () => {
  const text = DESIGN_CONFIG.replace("admin:", "amdin:")
    .replace("protocol: smtp }", "protocol: smpt }")
    .replace("friend: alice", "friend: alcie")
    .replace("203.0.113.7,", "203.0.113.700,")
    .replace("cache: false", "proxy: v1")
    .replace("https: { mode: dedicated, to: box }", "htps: { mode: dedicated, to: box }")
  expect(faultsOf(text).map((line) => line.split(":").slice(1, 3).join(":"))).toEqual([
    "4:3",
    "7:56",
    "12:60",
    "18:17",
    "26:49",
    "27:7",
  ])
})

describe("whatever the text,", () => {
  const wordsOfTheFile = fc.constantFrom(
    ...DESIGN_CONFIG.split(/\b/),
    "null",
    "{",
    "}",
    "[",
    "]",
    "*x",
    "&x",
    "\n",
    "  ",
    "5",
    "!!set",
    "__proto__",
  )
  const mutated = fc
    .array(fc.tuple(fc.nat(DESIGN_CONFIG.length), fc.nat(12), wordsOfTheFile), { minLength: 1, maxLength: 4 })
    .map((edits) =>
      edits.reduce((text, [at, length, word]) => text.slice(0, at) + word + text.slice(at + length), DESIGN_CONFIG),
    )

  test("reading never throws, and every fault has a place and two texts", () => {
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string()), (text) => {
        const read = readConfig(text, "relay.yaml")
        if (read.kind === "config") return
        for (const { line, column, wrong, right } of read.faults) {
          expect(line).toBeGreaterThan(0)
          expect(column).toBeGreaterThan(0)
          expect(wrong).not.toMatch(/undefined|\[object|invalid_|Invalid input/)
          expect(right).not.toBe("")
        }
      }),
      { numRuns: 400 },
    )
  })
})
