import { describe, expect, test } from "@jest/globals"
import { once } from "node:events"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { exchangesTable } from "../../../src/cli/demo-report.ts"
import type { Exchange } from "../../../src/lab/demo/demo.ts"
import { eventually } from "../../support/eventually.ts"
import { startWaypost, waypost } from "../../support/waypost.ts"

describe("waypost demo", () => {
  test("carries everything, and what Bob held is what his policy says", async () => {
    const { code, out } = await waypost("demo", "--once", "--json")
    const { asClaimed, exchanges } = JSON.parse(out) as { asClaimed: boolean; exchanges: readonly Exchange[] }
    expect(exchanges.map(({ route, arrived, bobHeld, bobKept }) => ({ route, arrived, bobHeld, bobKept }))).toEqual([
      { route: "alice/https", arrived: true, bobHeld: false, bobKept: false },
      { route: "alice/smtp", arrived: true, bobHeld: false, bobKept: false },
      { route: "dave/http", arrived: true, bobHeld: true, bobKept: false },
      { route: "dave/smtp", arrived: true, bobHeld: true, bobKept: false },
      { route: "erin/smtp", arrived: false, bobHeld: true, bobKept: true },
    ])
    expect({ asClaimed, code }).toEqual({ asClaimed: true, code: 0 })
  })

  test("stays up, its curl commands work as printed, and Ctrl-C ends it", async () => {
    const child = startWaypost(["demo"])
    let said = ""
    child.stdout.on("data", (piece: Buffer) => (said += piece.toString()))
    await eventually("ready", () => said.includes("Ctrl-C ends it."))
    for (const command of said.match(/^curl .*$/gm) ?? []) {
      const { stdout } = await promisify(execFile)("sh", ["-c", `${command} --silent --show-error`])
      expect(stdout).toMatch(/answers GET|"friend":"alice"/)
    }
    await eventually("a request is told", () => said.includes("alice.example answered a request; Bob held nothing"))
    child.kill("SIGINT")
    expect(await once(child, "exit")).toEqual([0, null])
  })
})

test("the demo's table says so when a claim is not true", () => {
  const finding = {
    power: "read",
    level: "no",
    extent: "all",
    because: "tls-ends-at-the-box",
    against: [],
    sources: [],
  }
  const lie = {
    route: "alice/https",
    sent: "GET https://alice.example/",
    outcome: "200",
    arrived: true,
    bobHeld: true,
    bobKept: false,
    policy: { read: finding, keep: finding },
    isTrue: false,
  } as Exchange
  expect(exchangesTable([lie], 200)).toMatch(/It does not agree for alice\/https\./)
})
