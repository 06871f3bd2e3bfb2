/** Small files that are either wholly there or not at all, also after a power cut. */
import { randomUUID } from "node:crypto"
import { link, mkdir, open, readFile, rename, unlink } from "node:fs/promises"
import { dirname } from "node:path"

/** The file's text; `undefined` if there is no such file. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8")
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined
    throw error
  }
}

/** Puts `text` in the file's place in one step: a reader sees the old or the new content. */
export async function replaceDurably(file: string, text: string, mode: number): Promise<void> {
  const draft = await writeBeside(file, text, mode)
  await rename(draft, file)
  await syncFolder(dirname(file))
}

/** Creates the file; false, and nothing is changed, if it is there already. */
export async function createDurably(file: string, text: string, mode: number): Promise<boolean> {
  const draft = await writeBeside(file, text, mode)
  try {
    await link(draft, file)
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false
    throw error
  } finally {
    await unlink(draft)
  }
  await syncFolder(dirname(file))
  return true
}

/** Ours: folders that we make hold keys and mail, so nobody else may look inside. */
const FOLDER_MODE = 0o700

async function writeBeside(file: string, text: string, mode: number): Promise<string> {
  await mkdir(dirname(file), { recursive: true, mode: FOLDER_MODE })
  const draft = `${file}.${randomUUID()}`
  await using handle = await open(draft, "wx", mode)
  await handle.writeFile(text)
  await handle.sync()
  return draft
}

/** Makes names that were made or changed in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, "r")
  await handle.sync()
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined
}
