import { expect, test } from "@jest/globals"
import { readdirSync, readFileSync } from "node:fs"
import { readBoxConfig } from "../../../src/config/box-config.ts"
import { routesOf, type Config } from "../../../src/config/config.ts"
import { configFaultText, readConfig } from "../../../src/config/read-config.ts"
import { NOTHING_CHECKED } from "../../../src/policy/facts.ts"
import { judge } from "../../../src/policy/judge.ts"
import { brokenPromises } from "../../../src/policy/promises.ts"
import { levelWord } from "../../../src/policy/verdict-table.ts"
import { POWERS } from "../../../src/policy/verdict.ts"
import { describeRoute } from "../../../src/route/describe.ts"
import type { Route } from "../../../src/route/route.ts"
import { expectGolden } from "../../support/golden.ts"

const FILES = readdirSync("examples").filter((name) => name.endsWith(".yaml"))
const BOX_FILES = FILES.filter((name) => name.startsWith("box"))
const RELAY_FILES = FILES.filter((name) => !name.startsWith("box"))

function configOf(name: string): Config {
  const file = `examples/${name}`
  const read = readConfig(readFileSync(file, "utf8"), file)
  if (read.kind === "faults") throw new Error(read.faults.map(configFaultText).join("\n"))
  return read.config
}

test.each(RELAY_FILES)("%s has no faults and breaks no promise", (name) => {
  const config = configOf(name)
  const verdicts = routesOf(config).map((route) => judge(route, NOTHING_CHECKED))
  expect(verdicts).not.toEqual([])
  expect(brokenPromises(config.friends, verdicts)).toEqual([])
})

test.each(BOX_FILES)("%s is a box's configuration without faults", (name) => {
  const read = readBoxConfig(readFileSync(`examples/${name}`, "utf8"), `examples/${name}`)
  expect(read).toMatchObject({ kind: "config" })
})

test("the verdict of every route in the examples is the one on file", () => {
  const lines = RELAY_FILES.flatMap((name) => [`# ${name}`, ...routesOf(configOf(name)).flatMap(routeLines), ""])
  expectGolden("test/vectors/examples.txt", lines.join("\n"))
})

function routeLines(route: Route): readonly string[] {
  const { findings, warnings } = judge(route, NOTHING_CHECKED)
  const levels = POWERS.map((power) => `${power} ${levelWord(findings[power])}`)
  return [describeRoute(route), `  ${levels.join(", ")}  ${warnings.join(" ")}`.trimEnd()]
}
