import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "@jest/globals"
import { engineOffer } from "../../../src/net/choose-engine.ts"
import { loadAddon } from "../../../src/net/native/addon.ts"

test("without the compiled half the JavaScript engine runs, and says how to get the other", () => {
  const loaded = loadAddon("/nonexistent/waypost-engine.node")
  expect(engineOffer(undefined, loaded)).toEqual({
    kind: "javascript",
    why: "the native engine is missing: it is not built; `npm run native` builds it with a C compiler",
  })
})

test("a file that does not load is an answer, not an error", () => {
  const file = join(mkdtempSync(join(tmpdir(), "waypost-")), "broken.node")
  writeFileSync(file, "no shared object")
  expect(loadAddon(file)).toMatchObject({
    kind: "missing",
    why: expect.stringContaining("does not load"),
  })
})

test("the JavaScript engine can be asked for", () => {
  expect(engineOffer("javascript")).toEqual({ kind: "javascript", why: "it was asked for" })
})
