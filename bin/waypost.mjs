#!/usr/bin/env node
// The installed command. It checks the runtime first, so that an old Node gets a sentence and not a syntax error, and
// runs the source in a checkout and the compiled program in a package, which has no source.
import { existsSync } from "node:fs"

const [major = 0] = process.versions.node.split(".").map(Number)
if (major < 24) {
  console.error(
    `waypost needs Node.js 24 or newer; this is ${process.versions.node}. In a checkout use: npm run waypost -- …`,
  )
  process.exit(1)
}
const { keepCompiled } = await import("./compile-cache.mjs")
keepCompiled(process.env)
const source = new URL("../src/cli/main.ts", import.meta.url)
const compiled = new URL("../dist/cli/main.js", import.meta.url)
const { main } = await import((existsSync(source) ? source : compiled).href)
await main(process.argv.slice(2))
