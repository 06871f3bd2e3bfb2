/** The text of a configuration file, as plain values and as places: where a key or a value stands. Knows YAML, and no meaning. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit, type Document, type Node } from "yaml"

/** One thing wrong with the file, at its place, with what would be right. */
export type ConfigFault = {
  readonly file: string
  /** Both count from 1. */
  readonly line: number
  readonly column: number
  readonly wrong: string
  readonly right: string
}

/** Keys and list positions from the top of the file. */
export type Path = readonly (string | number)[]

/** Advice for what YAML itself finds wrong. Everything else gets the general one. */
const YAML_ADVICE: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "keep one of the two",
  TAB_AS_INDENT: "indent with spaces",
  BAD_INDENT: "indent the keys of one map by the same number of spaces",
  MULTIPLE_DOCS: "one document in one file",
}
const YAML_GENERAL_ADVICE = 'YAML 1.2; text that holds [ ] { } * & # or ": " goes between quotes'

export class Source {
  /** The content as plain JavaScript values; `undefined` if the text is not YAML. */
  readonly content: unknown
  readonly faults: ConfigFault[] = []
  readonly #file: string
  readonly #lines = new LineCounter()
  readonly #document: Document.Parsed

  constructor(text: string, file: string) {
    this.#file = file
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      stringKeys: true,
      logLevel: "silent",
    })
    for (const error of this.#document.errors) {
      this.#add(error.pos[0], `not YAML: ${error.message}`, YAML_ADVICE[error.code] ?? YAML_GENERAL_ADVICE)
    }
    this.#refuseLooseAliases()
    this.content = this.#values()
  }

  /** As they stand in the file. */
  get faultsInOrder(): readonly ConfigFault[] {
    return this.faults.toSorted((a, b) => a.line - b.line || a.column - b.column)
  }

  /** Adds a fault at the value that stands at `path`, or at the nearest thing around it that is there. */
  faultAt(path: Path, wrong: string, right: string): void {
    this.#add(this.#offsetOf(path, "value"), wrong, right)
  }

  /** Adds a fault at the key that `path` ends in. */
  faultAtKey(path: Path, wrong: string, right: string): void {
    this.#add(this.#offsetOf(path, "key"), wrong, right)
  }

  /** The keys of the map at `path`, as written. */
  keysAt(path: Path): readonly string[] {
    const map = path.reduce<unknown>(
      (node, step) => this.#resolved(childOf(node, step)?.value),
      this.#document.contents,
    )
    return isMap(map) ? map.items.flatMap((pair) => (isScalar(pair.key) ? [String(pair.key.value)] : [])) : []
  }

  #add(offset: number, wrong: string, right: string): void {
    const { line, col } = this.#lines.linePos(offset)
    this.faults.push({ file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1), wrong, right })
  }

  /** `*.alice.example` without quotes is an alias to YAML: the slip that everybody makes once. */
  #refuseLooseAliases(): void {
    visit(this.#document, {
      Alias: (_, alias) => {
        if (alias.resolve(this.#document)) return
        const text = `*${alias.source}`
        this.#add(alias.range?.[0] ?? 0, `${text} without quotes is a YAML alias that nothing defines`, `"${text}"`)
      },
    })
  }

  #values(): unknown {
    if (this.faults.length > 0 && this.#document.errors.some((error) => error.code !== "DUPLICATE_KEY"))
      return undefined
    try {
      return this.#document.toJS()
    } catch (error) {
      // Loose aliases (already told), or so many that they would fill the memory.
      if (this.faults.length === 0) this.#add(0, `not YAML: ${String(error)}`, YAML_GENERAL_ADVICE)
      return undefined
    }
  }

  #offsetOf(path: Path, want: "key" | "value"): number {
    let node: unknown = this.#document.contents
    let offset = startOf(node) ?? 0
    for (const [depth, step] of path.entries()) {
      const found = childOf(this.#resolved(node), step)
      if (!found) return offset
      offset =
        (want === "key" && depth === path.length - 1 ? startOf(found.key) : startOf(found.value)) ??
        startOf(found.key) ??
        offset
      node = found.value
    }
    return offset
  }

  #resolved(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node
  }
}

type Child = { readonly key: unknown; readonly value: unknown }

function childOf(node: unknown, step: string | number): Child | undefined {
  if (isMap(node)) return node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(step))
  if (isSeq(node) && typeof step === "number") return { key: undefined, value: node.items[step] }
  return undefined
}

/** Where a node begins; a value of which nothing is written has no place, and its key stands for it. */
function startOf(node: unknown): number | undefined {
  const range = (node as Node | undefined | null)?.range // every parsed node has a range; anything else has none
  return range && range[1] > range[0] ? range[0] : undefined
}
