#!/usr/bin/env node
// The installed command. It only checks the runtime, so that an old Node gets a sentence and not a syntax error.
const [major = 0] = process.versions.node.split(".").map(Number)
if (major < 24) {
  console.error(
    `waypost needs Node.js 24 or newer; this is ${process.versions.node}. In a checkout use: npm run waypost -- …`,
  )
  process.exit(1)
}
await import(new URL("../src/cli/main.ts", import.meta.url).href)
