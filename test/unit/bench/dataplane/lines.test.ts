import { describe, expect, test } from "@jest/globals"
import { Figures } from "../../../../bench/dataplane/figures.ts"
import { linesOf, scaling, type Line } from "../../../../bench/dataplane/lines.ts"
import { BULK, CONNECTIONS, IDLE, TWO_CORES, type Measured } from "../../../../bench/dataplane/work.ts"
import { cpu } from "./samples.ts"

const ALL = [...BULK, ...CONNECTIONS, IDLE, ...TWO_CORES]

function linesFor(costs: Readonly<Record<string, number>>): readonly Line[] {
  return linesOf(new Figures(everywhere(costs)))
}

function everywhere(costs: Readonly<Record<string, number>>): readonly Measured[] {
  return ALL.flatMap(({ id }) => Object.entries(costs).flatMap(([relay, cost]) => cpu(id, relay, [cost])))
}

describe("the lines", () => {
  test("are met by a relay that costs what is asked", () => {
    const costs = { haproxy: 3, "haproxy-best": 1, native: 1, "native-apart": 1, "native-2": 1, javascript: 2.7 }
    expect(linesFor(costs).filter(({ met }) => !met)).toEqual([])
  })

  test("are missed one by one where it costs more", () => {
    const costs = { haproxy: 3, "haproxy-best": 1, native: 1.1, "native-apart": 1, "native-2": 1.3, javascript: 2.7 }
    const missed = linesFor(costs).filter(({ met }) => !met)
    expect(missed.map(({ what }) => what)).toEqual([
      "CPU per GB, 8 flows, download: best HAProxy",
      "CPU per GB, 8 flows, download: default HAProxy",
      "CPU per GB, 64 flows, download: best HAProxy",
      "CPU per GB, 64 flows, download: default HAProxy",
      "CPU per GB, 8 flows, upload: best HAProxy",
      "CPU per GB, 8 flows, upload: default HAProxy",
      "CPU per GB, 64 flows, upload: best HAProxy",
      "CPU per GB, 64 flows, upload: default HAProxy",
      "CPU, new connection: HAProxy",
      "CPU, new connection, post-quantum: HAProxy",
      "CPU, ping-pong, 32 at a time: HAProxy",
      "p99, ping-pong, 32 at a time: HAProxy",
      "Two cores, new connection: one of two as busy",
      "Two cores, 64 flows, download: one of two as busy",
    ])
  })

  test("compare connections with the cheaper HAProxy", () => {
    const line = linesFor({ haproxy: 1, "haproxy-best": 2, native: 1.5 }).find(({ what }) => what.includes("new conn"))
    expect([line?.got, line?.met]).toEqual([1.5, false])
  })

  test("are not met by what was not measured", () => {
    const lines = linesFor({ haproxy: 1 })
    expect(lines.filter(({ met, got }) => met || got !== undefined)).toEqual([])
  })
})

test("two cores carry twice as much where each connection costs the same on both", () => {
  const [work] = TWO_CORES
  if (!work) throw new Error("nothing is run on two cores")
  const figures = new Figures(everywhere({ native: 2, "native-apart": 3, "native-2": 4 }))
  expect(scaling(work, "native", "alone", figures)).toBe(1)
  expect(scaling(work, "native", "apart", figures)).toBe(1.5)
  expect(scaling(work, "native", "apart", new Figures(everywhere({ "native-apart": 2, "native-2": 2 })))).toBe(2)
  expect(scaling(work, "native", "alone", new Figures([]))).toBeUndefined()
})

test("two threads are judged against one of two relays whose cores are as busy, and one alone is named beside it", () => {
  const [line] = linesFor({ native: 2, "native-apart": 3, "native-2": 3 }).filter(({ what }) => what.startsWith("Two"))
  expect([line?.got, line?.met]).toEqual([2, true])
  expect(line?.note).toContain("1.33 × against one alone")
})
