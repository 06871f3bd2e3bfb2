import { expect, test } from "@jest/globals"
import { defaultGateway } from "../../../src/portmap/home-router.ts"

const HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"

test("the router is where packets for everybody else go", () => {
  const table = `${HEAD}eth0\t0007A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\neth0\t00000000\t0107A8C0\t0003\t0\t0\t0\t00000000\n`
  expect(defaultGateway(table)).toBe("192.168.7.1")
})

test("a network without one has none, and nonsense is none", () => {
  expect(defaultGateway(`${HEAD}eth0\t0007A8C0\t00000000\t0001\n`)).toBeUndefined()
  expect(defaultGateway(`${HEAD}ppp0\t00000000\t00000000\t0001\nx y\n\n`)).toBeUndefined()
})
