import { describe, expect, test } from "@jest/globals"
import * as z from "zod"
import { boxFileSchema } from "../../../src/config/box-config.ts"
import { DEFAULT_LIMITS } from "../../../src/config/config.ts"
import { configFaultText, readConfig } from "../../../src/config/read-config.ts"
import { friendSchema, limitsSchema, listenerSchema, relaySchema, routeSchema } from "../../../src/config/schema.ts"
import { codeBlocks, sectionsOf, tableKeys } from "../../support/markdown.ts"

const PAGE = "docs/configuration.md"
const sections = sectionsOf(PAGE, 2)

describe("docs/configuration.md", () => {
  test.each([
    ["relay", relaySchema],
    ["listeners", listenerSchema],
    ["friends", friendSchema],
    ["routes", routeSchema],
    ["limits", limitsSchema],
  ])("explains every key of %s, and no other", (name, schema) => {
    const [table = ""] = (sections.get(name) ?? "").split(/^(?=\| protocol )|^(?=###)/m)
    expect(tableKeys(table).toSorted()).toEqual(Object.keys(schema.shape).toSorted())
  })

  test("explains every key of box.yaml, and no other", () => {
    expect(tableKeys(sections.get("box.yaml") ?? "").toSorted()).toEqual(keysIn(boxFileSchema).toSorted())
  })

  test("gives the limits that the program has", () => {
    const written = [...(sections.get("limits") ?? "").matchAll(/^\| `([^`]+)` \| (\S+) \|/gm)]
    const file = `relay: { name: r.example }\nlisteners: {}\nlimits: { ${written.map(([, key, value]) => `${key}: ${value}`).join(", ")} }\n`
    expect(readConfig(file, "relay.yaml")).toMatchObject({ kind: "config", config: { limits: DEFAULT_LIMITS } })
    expect(written).toHaveLength(Object.keys(DEFAULT_LIMITS).length)
  })
})

test.each(["README.md", PAGE])("every whole configuration shown in %s has no faults", (page) => {
  const shown = codeBlocks(page, "yaml").filter((block) => block.includes("relay:\n"))
  expect(shown).not.toEqual([])
  for (const block of shown) {
    const read = readConfig(block, page)
    expect(read.kind === "faults" ? read.faults.map(configFaultText) : []).toEqual([])
  }
})

/** Keys of a map, and of the maps that it holds by name: `relays`, `relays.*.at`. */
function keysIn(schema: z.core.$ZodType, under = ""): readonly string[] {
  const inner = bare(schema)
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape as z.ZodRawShape).flatMap(([key, part]) => [
      under + key,
      ...keysIn(part, `${under}${key}.`),
    ])
  }
  if (inner instanceof z.ZodRecord) return keysIn(inner.valueType, `${under}*.`)
  if (inner instanceof z.ZodUnion) return inner.options.flatMap((option) => keysIn(option, under))
  return []
}

function bare(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) return bare(schema.unwrap())
  return schema instanceof z.ZodPipe ? bare(schema.in) : schema
}
