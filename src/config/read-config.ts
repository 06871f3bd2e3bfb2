/**
 * Reads the text of a relay's configuration file. All faults are found in one reading: what YAML refuses, what has the
 * wrong shape, and what does not fit together. Nothing of a faulty file is used.
 */
import { resolve, dirname } from "node:path"
import { buildConfig } from "./build.ts"
import type { Config } from "./config.ts"
import { crossCheck } from "./cross-checks.ts"
import { readShape } from "./shape.ts"
import { Source, type ConfigFault } from "./source.ts"

export type { ConfigFault } from "./source.ts"

export type ConfigRead =
  | { readonly kind: "config"; readonly config: Config }
  | { readonly kind: "faults"; readonly faults: readonly [ConfigFault, ...ConfigFault[]] }

/** Reads `text`; `file` is what faults are told of, and where relative paths in the text start from. */
export function readConfig(text: string, file: string): ConfigRead {
  const source = new Source(text, file)
  const content = readContent(source)
  const [first, ...more] = source.faultsInOrder
  if (first) return { kind: "faults", faults: [first, ...more] }
  if (!content) throw new Error("a file without content and without faults") // readContent tells one of the two
  return { kind: "config", config: buildConfig(content, dirname(resolve(file))) }
}

function readContent(source: Source) {
  if (source.content === undefined) return undefined
  if (source.content === null) {
    source.faultAt([], "the file is empty", "a map with relay, listeners and friends; see examples/")
    return undefined
  }
  const { content, draft } = readShape(source)
  crossCheck(draft, source)
  return content
}

/** One line, as compilers write it: `relay.yaml:12:7: what is wrong; what would be right`. */
export function configFaultText(fault: ConfigFault): string {
  return `${fault.file}:${fault.line}:${fault.column}: ${fault.wrong}; ${fault.right}`
}
