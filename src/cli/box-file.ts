/** box.yaml from disk to a checked value. */
import { readFile } from "node:fs/promises"
import { relative } from "node:path"
import { readBoxConfig, type BoxConfig } from "../config/box-config.ts"
import { configFaultText } from "../config/read-config.ts"
import { ConfigurationError } from "./complaint.ts"

/** Rejects with a ConfigurationError, or with what the system says about the file. */
export async function loadBoxFile(path: string): Promise<BoxConfig> {
  const read = readBoxConfig(await readFile(path, "utf8"), relative(".", path))
  if (read.kind === "faults") throw new ConfigurationError(read.faults.map(configFaultText))
  return read.config
}

/** Option that the box's verbs share. */
export const BOX_FILE = {
  alias: "c",
  type: "string",
  default: "box.yaml",
  requiresArg: true,
  describe: "the box's configuration file",
} as const
