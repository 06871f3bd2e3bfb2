import { expect, test } from "@jest/globals"
import { configJsonSchema } from "../../../src/config/schema.ts"
import { expectGolden } from "../../support/golden.ts"

test("the schema for editors is the one on file", () => {
  expectGolden("docs/relay.schema.json", `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
})

test("it knows every key, and what would be right", () => {
  const schema = JSON.parse(JSON.stringify(configJsonSchema()))
  expect(schema.required).toEqual(["relay", "listeners"])
  expect(schema.additionalProperties).toBe(false)
  expect(schema.properties.relay.properties.name.description).toContain("relay.bob.example")
})
