/** Test vectors as data: bytes in hexadecimal, what is right, and why or where from. The files are in test/vectors. */
import { readFileSync } from "node:fs"
import { parse, stringify } from "yaml"
import { bytes } from "./hello.ts"

export type Vector<Expectation> = {
  readonly name: string
  /** The rule that decides, or the program and command that the bytes are from. */
  readonly because: string
  readonly expect: Expectation
  /** Where the rule leaves a choice: what others may do as well. We do what `expect` says. */
  readonly alsoRight?: Expectation
  /** How many of the bytes come after what is to be read. */
  readonly afterBytes: number
  readonly bytes: Buffer
}

/** `name: null` is a hello that names nobody; without `alpn` none is offered. */
export type HelloExpectation =
  { readonly name: string | null; readonly alpn?: readonly string[] } | { readonly refused: string } | "need-more"

/** Ends are written `192.0.2.1:1234`, `[2001:db8::1]:1234`. */
export type ProxyExpectation =
  | { readonly remote: string; readonly local: string; readonly tlvs?: readonly number[] }
  | { readonly refused: string }
  | "unknown"
  | "local"
  | "need-more"

type Written = {
  readonly name: string
  readonly because: string
  readonly expect: unknown
  readonly alsoRight?: unknown
  readonly afterBytes?: number
  readonly hex: string
}

/** Ours: hexadecimal is broken into lines that fit a page. */
const LINE_CHARS = 112

export function readVectors<Expectation>(file: string): readonly Vector<Expectation>[] {
  const written = parse(readFileSync(vectorFile(file), "utf8")) as Written[] // our own files, written by `yamlOf`
  return written.map(({ expect, alsoRight, afterBytes, hex, ...words }) => {
    const choice = alsoRight === undefined ? {} : { alsoRight: alsoRight as Expectation }
    return { ...words, expect: expect as Expectation, ...choice, afterBytes: afterBytes ?? 0, bytes: bytes(hex) }
  })
}

export function yamlOf(vectors: readonly Vector<unknown>[]): string {
  const written = vectors.map(({ name, because, expect, alsoRight, afterBytes, bytes }): Written => {
    const hex = bytes.toString("hex").replace(new RegExp(`.{${LINE_CHARS}}`, "g"), "$&\n")
    const choice = alsoRight === undefined ? {} : { alsoRight }
    return {
      name,
      because,
      expect,
      ...choice,
      ...(afterBytes > 0 && { afterBytes }),
      hex: hex === "" ? "" : `${hex.trimEnd()}\n`,
    }
  })
  return stringify(written, { lineWidth: 0, blockQuote: "literal", aliasDuplicateObjects: false })
}

export function vectorFile(name: string): string {
  return new URL(`../vectors/${name}.yaml`, import.meta.url).pathname
}
