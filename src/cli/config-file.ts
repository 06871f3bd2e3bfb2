/** A configuration file from disk to a checked value. */
import { readFile } from "node:fs/promises"
import type { Config } from "../config/config.ts"
import { configFaultText, readConfig, type ConfigRead } from "../config/read-config.ts"
import { ConfigurationError } from "./complaint.ts"

/** Rejects with what the system says about the file; its faults are an answer. */
export async function readConfigFile(path: string): Promise<ConfigRead> {
  return readConfig(await readFile(path, "utf8"), path)
}

/** As `readConfigFile`, for who can do nothing without a configuration. Rejects with a ConfigurationError. */
export async function loadConfigFile(path: string): Promise<Config> {
  return faultless(await readConfigFile(path))
}

/** Throws a ConfigurationError. */
export function faultless(read: ConfigRead): Config {
  if (read.kind === "faults") throw new ConfigurationError(read.faults.map(configFaultText))
  return read.config
}
