import { describe, expect, test } from "@jest/globals"
import { barChart } from "../../../../bench/dataplane/bars.ts"
import { Figures } from "../../../../bench/dataplane/figures.ts"
import { performancePage, performancePlots, type Run } from "../../../../bench/dataplane/page.ts"
import { cpu, sampleOf } from "./samples.ts"

const run: Run = {
  figures: new Figures([
    ...cpu("down8", "haproxy-best", [0.2, 0.4]),
    ...cpu("down8", "native", [0.1, 0.2]),
    ...cpu("idle", "native", [1.25]),
    { round: 0, work: "new", relay: "nginx", sample: sampleOf({ done: 12345, errors: 3 }) },
  ]),
  relays: [
    { id: "direct", name: "no relay" },
    { id: "haproxy-best", name: "HAProxy, best" },
    { id: "nginx", name: "nginx stream" },
    { id: "native", name: "Waypost, native" },
  ],
  machine: { cpu: "A", cores: 2, memoryGb: 8, kernel: "Linux 6", programs: ["haproxy 2.6.12"] },
  command: "npm run bench",
  rounds: 2,
  seconds: 120,
  warmMs: 300,
  runMs: 1200,
  day: "2026-01-31",
  load: [0.1, 2],
}

describe("docs/performance.md", () => {
  const page = performancePage(run)

  test("has cost and ratio of every relay, and a dash where there is none", () => {
    expect(page).toContain("| Waypost, native | – | 0.150 (0.50 ×) | – |")
    expect(page).toContain("| no relay | – | – | – |")
  })

  test("says of every line whether it was met", () => {
    expect(page).toContain("| CPU per GB, 8 flows, download: best HAProxy | ≤ 1 × | 0.50 × | yes |")
    expect(page).toContain("| CPU per GB, 64 flows, download: best HAProxy | ≤ 1 × | not measured | **no** |")
    expect(page).toContain("| Memory of an idle connection | ≤ 1.5 kB | 1.25 kB | yes |")
  })

  test("says on what machine, by what command, and what failed", () => {
    for (const part of ["A, 2 cores", "haproxy 2.6.12", "`npm run bench`", "2026-01-31"]) expect(page).toContain(part)
    expect(page).toContain("Connections that failed: nginx stream 3.")
    expect(page).toContain("| nginx stream | 12,345 | – | – |")
  })

  test("shows plots that are made with it", () => {
    const shown = [...page.matchAll(/\]\(performance\/([^)]+)\)/g)].map(([, name]) => name)
    expect(new Set(shown)).toEqual(new Set(performancePlots(run).keys()))
  })
})

describe("a bar chart", () => {
  const bar = (label: string, value: number) => ({ label, value, text: `${value} s`, ours: label === "us" })
  const chart = barChart({ title: "A <b> & c", groups: [{ name: "one", bars: [bar("us", 1), bar("them", 4)] }] })
  const lengths = [...chart.matchAll(/width="(\d+)" height="15"/g)].map(([, width]) => Number(width))

  test("draws lengths in proportion", () => {
    const [short = 0, long = 0] = lengths
    expect(lengths).toHaveLength(2)
    expect(long / short).toBeCloseTo(4, 1)
  })

  test("tells ours from the others, and has colours for light and dark", () => {
    expect(chart.match(/class="(ours|others)"/g)).toEqual(['class="ours"', 'class="others"'])
    expect(chart).toContain("prefers-color-scheme: dark")
  })

  test("keeps text out of the markup", () => {
    expect(chart).toContain("A &lt;b> &amp; c")
  })

  test("draws a group without bars, and one of nothing but zeros", () => {
    const empty = barChart({
      title: "",
      groups: [
        { name: "none", bars: [] },
        { name: "zero", bars: [bar("us", 0)] },
      ],
    })
    expect(empty).not.toMatch(/NaN|Infinity/)
  })
})
