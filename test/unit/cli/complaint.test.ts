import { describe, expect, test } from "@jest/globals"
import { readFileSync } from "node:fs"
import { complaintOf, ConfigurationError, UsageError } from "../../../src/cli/complaint.ts"
import { fault, FaultError } from "../../../src/faults/faults.ts"

describe("a complaint", () => {
  test("names the file and the reason when the system refuses", () => {
    expect(complaintOf(thrownBy(() => readFileSync("/nowhere/relay.yaml")))).toEqual({
      text: "waypost: /nowhere/relay.yaml: there is no such file",
      exit: 1,
    })
  })

  test("points to the page of a fault", () => {
    expect(complaintOf(new FaultError(fault("BIND_REFUSED", "0.0.0.0:25 is in use by another program")))).toEqual({
      text: 'waypost: 0.0.0.0:25 is in use by another program\n"waypost explain BIND_REFUSED" says more.',
      exit: 1,
    })
  })

  test.each([
    [new UsageError("no", "yes"), 2],
    [new ConfigurationError(["relay.yaml:1:1: no; yes"]), 78],
    [new FaultError(fault("PROMISE_BROKEN", "alice")), 78],
    [new FaultError(fault("STATE_LOCKED", "state")), 1],
    [new TypeError("x is undefined"), 1],
    ["a string", 1],
  ])("chooses the exit code: %s", (error, exit) => {
    expect(complaintOf(error).exit).toBe(exit)
  })

  test("shows a stack only to those who ask for it", () => {
    const bug = new TypeError("x is undefined")
    expect(complaintOf(bug).text).not.toMatch(/\bat /)
    process.env["WAYPOST_DEBUG"] = "1"
    try {
      expect(complaintOf(bug).text).toMatch(/\n +at .*complaint\.test\.ts/)
    } finally {
      delete process.env["WAYPOST_DEBUG"]
    }
  })
})

function thrownBy(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error("nothing was thrown")
}
