import { describe, expect, test } from "@jest/globals"
import { Figures, median, MEASURES } from "../../../../bench/dataplane/figures.ts"
import { costOf, rateOf, type Work } from "../../../../bench/dataplane/work.ts"
import { cpu, sampleOf } from "./samples.ts"

const down: Work = { id: "down8", name: "", service: "down", connections: 8 }

test.each([
  [[], undefined],
  [[3], 3],
  [[9, 1, 5], 5],
  [[4, 1, 3, 2], 2.5],
  [[2, NaN, Infinity], 2],
])("the median of %j is %s", (numbers, expected) => {
  expect(median(numbers)).toBe(expected)
})

describe("what a run is judged by", () => {
  const sample = sampleOf({ cpuSeconds: 0.5, seconds: 2, gigabytes: 4, done: 1000, bytesPerConnection: 900 })

  test.each([
    ["down", 0.125, 2],
    ["up", 0.125, 2],
    ["new", 500, 500],
    ["pong", 500, 500],
    ["idle", 900, 500],
  ] as const)("%s", (service, cost, rate) => {
    expect([costOf({ service }, sample), rateOf({ service }, sample)]).toEqual([cost, rate])
  })
})

describe("figures", () => {
  const figures = new Figures([
    ...cpu("down8", "a", [1, 2, 9]), // the last round was disturbed,
    ...cpu("down8", "b", [2, 4, 18]), // for both
    ...cpu("down8", "c", [2, 4]),
  ])

  test("are medians over the rounds", () => {
    expect([figures.of(down, "a"), figures.of(down, "b"), figures.of(down, "nobody")]).toEqual([2, 4, undefined])
  })

  test("compare within a round", () => {
    expect(figures.ratio(down, "a", "b")).toBe(0.5)
    expect(figures.ratio(down, "b", "c")).toBe(1) // only the rounds that both had
    expect(figures.ratio(down, "a", "nobody")).toBeUndefined()
  })

  test("name the relay with the lowest, and pass over what was not run", () => {
    expect(figures.lowest(down, ["b", "a"])).toBe("a")
    expect(figures.lowest(down, ["nobody", "b"])).toBe("b")
    expect(figures.lowest(down, ["nobody"])).toBe("nobody")
  })

  test("take other measures too", () => {
    const waits = new Figures([{ round: 0, work: "down8", relay: "a", sample: sampleOf({ p99Us: 70 }) }])
    expect(waits.of(down, "a", MEASURES.p99)).toBe(70)
  })

  test("count what failed", () => {
    const failing = new Figures([
      { round: 0, work: "down8", relay: "a", sample: sampleOf({ errors: 2 }) },
      { round: 1, work: "new", relay: "a", sample: sampleOf({ errors: 1 }) },
    ])
    expect([failing.errors("a"), failing.errors("b")]).toEqual([3, 0])
  })
})
