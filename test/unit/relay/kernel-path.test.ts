import { describe, expect, test } from "@jest/globals"
import { configFaultText, readConfig } from "../../../src/config/read-config.ts"
import { NOTHING_CHECKED } from "../../../src/policy/facts.ts"
import { judge } from "../../../src/policy/judge.ts"
import { kernelRoutes } from "../../../src/relay/kernel-path.ts"
import { describeRoute } from "../../../src/route/describe.ts"
import { routesOf, type Config } from "../../../src/config/config.ts"

type Written = { readonly bind?: string; readonly more?: string; readonly route?: string; readonly friend?: string }

function text({ bind = '"0.0.0.0:22", "[::]:22"', more = "", route = "", friend = "" }: Written): string {
  return `relay: { name: r.example }
listeners:
  ssh: { bind: [${bind}], protocol: tcp${more} }
  tunnel: { bind: ["0.0.0.0:7443"], protocol: tunnel }
friends:
  alice:
    ${friend || 'addresses: [203.0.113.7, "2001:db8::7"]'}
    routes:
      ssh: { mode: dedicated, engine: kernel, ${route || 'to: ["10.0.0.5:22", "[fd00::5]:22"]'} }
`
}

function configOf(written: Written): Config {
  const read = readConfig(text(written), "relay.yaml")
  if (read.kind === "faults") throw new Error(read.faults.map(configFaultText).join("\n"))
  return read.config
}

function faultsOf(written: Written): readonly string[] {
  const read = readConfig(text(written), "relay.yaml")
  return read.kind === "faults" ? read.faults.map(configFaultText) : []
}

describe("what the kernel leads", () => {
  const told = (written: Written) =>
    kernelRoutes(configOf(written)).map(({ own, to }) => [own.address, own.port, to.address, to.port])

  test("each own address, to the server of its family", () => {
    expect(told({})).toEqual([
      ["203.0.113.7", 22, "10.0.0.5", 22],
      ["2001:db8::7", 22, "fd00::5", 22],
    ])
  })

  test("each port of the listener", () => {
    const friend = "addresses: [203.0.113.7]"
    const told4 = told({
      bind: '"203.0.113.7:22", "0.0.0.0:2200"',
      friend,
      route: 'to: "10.0.0.5:22"',
    })
    expect(told4.map(([, port]) => port)).toEqual([22, 2200])
  })

  test("nothing of a route that does not say so", () => {
    const [friend] = configOf({}).friends
    const carry = { mode: "dedicated", proxy: "none", otherwise: "refuse" } as const
    const routes = friend?.routes.map((route) => ({ ...route, carry })) ?? []
    expect(kernelRoutes({ ...configOf({}), friends: friend ? [{ ...friend, routes }] : [] })).toEqual([])
  })

  test("its route says who leads, and the operator has the same powers", () => {
    const [route] = routesOf(configOf({}))
    if (!route) throw new Error("one route is configured")
    expect(describeRoute(route)).toMatch(/→ 10\.0\.0\.5:22, then \[fd00::5\]:22 by the kernel$/)
    const ordinary = { ...route, carry: { mode: "dedicated", proxy: "none", otherwise: "refuse" } } as const
    expect(judge(route, NOTHING_CHECKED)).toEqual(judge(ordinary, NOTHING_CHECKED))
  })
})

test.each([
  [{ route: 'to: "10.0.0.5:22", proxy: v2' }, /:73: the kernel writes no PROXY header; proxy: none, or engine: relay$/],
  [{ route: "to: box" }, /:51: the kernel cannot reach a box's tunnel; an address, or engine: relay$/],
  [
    { route: 'to: "home.alice.example:22"' },
    /:51: the kernel looks up no names: home\.alice\.example; its address, or/,
  ],
  [{ route: 'to: "127.0.0.1:2222"' }, /:51: the kernel leads nobody to this machine itself; another machine's address/],
  [
    { route: 'to: ["10.0.0.5:22", "10.0.0.6:22"]' },
    /:51: the kernel tries one server only; one address of each family/,
  ],
  [
    { route: 'to: "10.0.0.5:22"' },
    /:51: the kernel cannot lead from 2001:db8::7 to the other family; an address of its/,
  ],
  [
    { more: ", accept-proxy: [10.0.0.0/8]" },
    /:39: the kernel reads no PROXY header, and ssh accepts them; engine: relay$/,
  ],
  [
    { friend: "domains: [alice.example]", more: ", friend: alice" },
    /:39: the kernel reads no names, and no address of alice's/,
  ],
  [
    { friend: 'rate: 1MB/s, addresses: [203.0.113.7, "2001:db8::7"]'.replace(", ", "\n    ") },
    /:39: the kernel does not hold alice to a rate; no rate, or engine: relay$/,
  ],
  [{ bind: '"0.0.0.0:0", "[::]:22"' }, /:39: ssh takes any free port; a port in its bind, or engine: relay$/],
] as const)("engine: kernel is refused with %j", (written, told) => {
  const faults = faultsOf(written)
  expect(faults).toContainEqual(expect.stringMatching(told))
  for (const fault of faults) expect(fault).toMatch(/^relay\.yaml:\d+:\d+: /)
})

test("and where the relay is an end itself", () => {
  const file = text({}).replace("protocol: tcp", "protocol: smtp").replace("mode: dedicated", "mode: peer")
  const read = readConfig(file.replace("alice:\n", "alice:\n    domains: [alice.example]\n"), "relay.yaml")
  const faults = read.kind === "faults" ? read.faults.map(configFaultText) : []
  expect(faults).toEqual(["relay.yaml:10:26: engine means nothing on a peer smtp route; only on dedicated routes"])
})
