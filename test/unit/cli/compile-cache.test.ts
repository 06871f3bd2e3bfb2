import { expect, test } from "@jest/globals"
import { execFile } from "node:child_process"
import { chmod, readdir, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { scratchFolder } from "../../support/program.ts"

const PROGRAM = fileURLToPath(new URL("../../../bin/waypost.mjs", import.meta.url))

async function explains(environment: NodeJS.ProcessEnv): Promise<void> {
  const { NODE_COMPILE_CACHE: _, CACHE_DIRECTORY: __, ...others } = process.env
  const env = { ...others, NODE_OPTIONS: "", ...environment }
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, "explain", "WP101"], { env })
  expect(stdout).toMatch(/^WP101/)
}

/** What is kept for the modules that a start needs; nothing where there is no folder. */
async function keptIn(folder: string): Promise<readonly string[]> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return files.filter((file) => file.isFile()).map(({ name }) => name)
}

test("what was compiled is kept in a folder for this user alone, and used by the next start", async () => {
  await using caches = await scratchFolder()
  await explains({ XDG_CACHE_HOME: caches.path })
  const kept = await keptIn(caches.path)
  expect(kept.length).toBeGreaterThan(10)
  expect((await stat(join(caches.path, "waypost"))).mode & 0o777).toBe(0o700)
  await explains({ XDG_CACHE_HOME: caches.path })
  expect(await keptIn(caches.path)).toEqual(kept)
})

test("under systemd it is kept in the unit's own folder", async () => {
  await using caches = await scratchFolder()
  await explains({ CACHE_DIRECTORY: join(caches.path, "unit"), XDG_CACHE_HOME: join(caches.path, "user") })
  expect(await readdir(caches.path)).toEqual(["unit"])
})

test("nothing is kept where somebody else could change it, or where there can be no folder", async () => {
  await using caches = await scratchFolder()
  await chmod(caches.path, 0o777)
  await explains({ XDG_CACHE_HOME: caches.path })
  expect(await keptIn(caches.path)).toEqual([])
  await chmod(caches.path, 0o700)
  await writeFile(join(caches.path, "file"), "")
  await explains({ XDG_CACHE_HOME: join(caches.path, "file") })
  expect(await keptIn(caches.path)).toEqual(["file"])
})
