import { expect, test } from "@jest/globals"
import { configJsonSchema } from "../../../src/config/schema.ts"

test("editors are told every key, and what would be right", () => {
  const schema = JSON.parse(JSON.stringify(configJsonSchema()))
  expect(schema.required).toEqual(["relay", "listeners"])
  expect(schema.additionalProperties).toBe(false)
  expect(schema.properties.listeners.additionalProperties.properties.protocol.enum).toEqual([
    "smtp",
    "tls",
    "http",
    "tcp",
    "tunnel",
  ])
  expect(schema.properties.relay.properties.name.description).toContain("relay.bob.example")
})
