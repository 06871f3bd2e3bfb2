/** The program itself: Node, the engine, how many connections the system lets it hold. */
import { readFile } from "node:fs/promises"
import { DEFAULT_LIMITS } from "../../config/config.ts"
import { engineOffer } from "../../net/choose-engine.ts"
import type { Finding } from "./finding.ts"

const NODE_MAJOR_MIN = 24
/** A carried connection has two ends; the rest is for listeners, the spool and mail under way. */
const DESCRIPTORS_PER_CONNECTION = 2
const DESCRIPTORS_BESIDE = 1_000

export function examineNode(version = process.versions.node): Finding {
  const enough = Number(version.split(".")[0]) >= NODE_MAJOR_MIN
  return enough
    ? { what: "Node.js", state: "ok", found: version }
    : { what: "Node.js", state: "fail", found: version, remedy: `install Node.js ${NODE_MAJOR_MIN} or newer` }
}

export function examineEngine(offer = engineOffer()): Finding {
  const found = `${offer.kind}: ${offer.why}`
  return { what: "engine", state: offer.kind === "native" ? "ok" : "warn", found }
}

export async function examineDescriptors(limitsFile = "/proc/self/limits"): Promise<Finding> {
  const what = "open files"
  const text = await readFile(limitsFile, "utf8").catch(() => undefined)
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(text ?? "") ?? []
  if (soft === undefined) return { what, state: "ok", found: "the system tells no limit" }
  const limit = soft === "unlimited" ? Infinity : Number(soft)
  const needed = DEFAULT_LIMITS.connectionsMax * DESCRIPTORS_PER_CONNECTION + DESCRIPTORS_BESIDE
  if (limit >= needed) return { what, state: "ok", found: `${soft} allowed` }
  const connections = Math.max(0, Math.floor((limit - DESCRIPTORS_BESIDE) / DESCRIPTORS_PER_CONNECTION))
  return {
    what,
    state: "warn",
    found: `${soft} allowed: about ${connections} connections at once`,
    remedy: `raise it to ${needed} (ulimit -n, LimitNOFILE=) or lower limits.connections`,
  }
}
