/**
 * Looks at the trace fields of a header section as it streams by. Counts the Received lines: a message that has passed
 * too many hosts is in a loop, and only the count shows it (RFC 5321 §6.3). And takes out results in our own name, which
 * only a forger can have written before the message came to us (RFC 8601 §5). Everything else, and the body, which may
 * quote such lines, goes on byte for byte.
 */
import { hostname, type Hostname } from "../../names/hostname.ts"
import { readAuthservId } from "./authserv-id.ts"

/** RFC 5321 §6.3 asks for at least 100 where a host only guesses; as Postfix (hopcount_limit), which everybody survives. */
export const HOPS_MAX = 50
/** Ours: results that have not said by then whose they are come from nobody honest. */
export const RESULTS_HEAD_BYTES_MAX = 4_096

const RECEIVED = /^received:/i
/** RFC 5322 §4.5: old programs may have space before the colon, and some readers still take that. */
const RESULTS = /^authentication-results[ \t]*:/i
/** Ours: enough of a line to know its field by. */
const NAME_BYTES_MAX = 64
const SPACE = 0x20
const TAB = 0x09
const CR = 0x0d
const LF = 0x0a
const NOTHING: Buffer = Buffer.alloc(0)

/** What becomes of a line: as it is, not at all, or this in its place. */
type Fate = "goes on" | "does not" | Buffer

export class TraceFields {
  readonly #ownName: Hostname
  #hops = 0
  #isBody = false
  /** The beginning of a line whose end has not come. */
  #line: Buffer = NOTHING
  /** The field that the last line belongs to: one to be left out, or results that have not said yet whose they are. */
  #field: "passed" | "left out" | { readonly results: Buffer } = "passed"

  constructor(ownName: Hostname) {
    this.#ownName = ownName
  }

  get hops(): number {
    return this.#hops
  }

  /** What of the content goes on. An unfinished line of the header section is held back until more has come. */
  read(bytes: Uint8Array): Uint8Array {
    if (this.#isBody) return bytes
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const all = this.#line.length > 0 ? Buffer.concat([this.#line, piece]) : piece
    const kept: Buffer[] = []
    let keptFrom = 0
    let at = 0
    for (let end = all.indexOf(LF) + 1; end > 0 && !this.#isBody; end = all.indexOf(LF, at) + 1) {
      const fate = this.#fate(all.subarray(at, end))
      if (fate !== "goes on") {
        kept.push(all.subarray(keptFrom, at), fate === "does not" ? NOTHING : fate)
        keptFrom = end
      }
      at = end
    }
    this.#line = this.#isBody ? NOTHING : Buffer.from(all.subarray(at)) // a copy: the rest of the piece may go
    const last = all.subarray(keptFrom, this.#isBody ? all.length : at)
    return kept.length === 0 ? last : Buffer.concat([...kept, last])
  }

  /** The content is at its end: what of a last line goes on. */
  finish(): Uint8Array {
    if (this.#isBody || this.#line.length === 0) return NOTHING
    const fate = this.#fate(this.#line)
    const whole = fate === "goes on" ? this.#line : NOTHING
    return typeof fate === "string" ? whole : fate
  }

  #fate(line: Buffer): Fate {
    const [first] = line
    if (first === SPACE || first === TAB) return this.#folded(line)
    this.#field = "passed" // results that end without having said whose they are were left out
    if (first === CR || first === LF) this.#isBody = true
    // Most lines are neither, and one letter shows it.
    else if (RECEIVED_OR_RESULTS.has(first ?? 0)) return this.#traced(line)
    return "goes on"
  }

  #traced(line: Buffer): Fate {
    const name = line.toString("latin1", 0, NAME_BYTES_MAX)
    if (RECEIVED.test(name)) this.#hops += 1
    return RESULTS.test(name) ? this.#judge(line, line) : "goes on"
  }

  #folded(line: Buffer): Fate {
    if (this.#field === "passed") return "goes on"
    return this.#field === "left out" ? "does not" : this.#judge(Buffer.concat([this.#field.results, line]), line)
  }

  /** `results`: the field so far, of which `line` is the last line. */
  #judge(results: Buffer, line: Buffer): Fate {
    const id = readAuthservId(results.toString("latin1", results.indexOf(":") + 1))
    const isHeld = id.kind === "need-more" && results.length <= RESULTS_HEAD_BYTES_MAX
    const isPassed = id.kind === "value" && hostname(id.value) !== this.#ownName
    this.#field = isHeld ? { results } : isPassed ? "passed" : "left out"
    if (!isPassed) return "does not"
    return results === line ? "goes on" : results
  }
}

const RECEIVED_OR_RESULTS: ReadonlySet<number> = new Set(Buffer.from("rRaA"))
