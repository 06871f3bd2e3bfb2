/** Generated text that is kept in the repository: compared with its file, or written there when GOLDEN=write is set. */
import { expect } from "@jest/globals"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"

/** Expects the file to hold exactly `text`. After a wanted change: `GOLDEN=write npm test`, then read the diff. */
export function expectGolden(path: string, text: string): void {
  if (process.env["GOLDEN"] === "write") {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  expect(text).toBe(readFileSync(path, "utf8"))
}
