/** Holds a file's content against the schema and says every difference in words, at its place. */
import * as z from "zod"
import { nearest } from "../names/nearest.ts"
import { fileSchema, type FileContent, type FileFriend, type FileListener, type FileRoute } from "./schema.ts"
import type { Path, Source } from "./source.ts"

/** What could be read of a file that may have faults: what is faulty is left out. */
export type Draft = {
  readonly relay: Partial<FileContent["relay"]>
  readonly listeners: Readonly<Record<string, Partial<FileListener>>>
  readonly friends: Readonly<Record<string, DraftFriend>>
}
export type DraftFriend = Partial<Omit<FileFriend, "routes">> & {
  readonly routes?: Readonly<Record<string, Partial<FileRoute>>>
}

/** The content if its shape is right; the faults are added to `source`, and the draft is what can still be checked. */
export function readShape(source: Source): { readonly content: FileContent | undefined; readonly draft: Draft } {
  const { content, salvaged } = readShaped(fileSchema, source)
  if (content) return { content, draft: content }
  return { content, draft: { relay: {}, listeners: {}, friends: {}, ...(salvaged as Partial<Draft>) } } // what is salvaged has passed its own schema
}

/** As `readShape`, for any file: what it is under `schema`, or every difference and what is right all the same. */
export function readShaped<Schema extends z.ZodType>(
  schema: Schema,
  source: Source,
): { readonly content: z.output<Schema> | undefined; readonly salvaged: unknown } {
  const result = schema.safeParse(source.content, { reportInput: true })
  if (result.success) return { content: result.data, salvaged: result.data }
  for (const issue of result.error.issues) addFaults(issue, [], { source, schema })
  return { content: undefined, salvaged: salvage(schema, source.content) }
}

type Reading = { readonly source: Source; readonly schema: z.ZodType }

/** What a map of the file has under `name`, and never what every JavaScript object has. */
export function entry<Value>(map: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined
}

function addFaults(issue: z.core.$ZodIssue, under: Path, reading: Reading): void {
  const { source, schema } = reading
  const path = [...under, ...issue.path.map((step) => (typeof step === "symbol" ? String(step) : step))]
  const key = nameOf(path)
  const right = describe(schema, path)
  switch (issue.code) {
    case "unrecognized_keys":
      for (const unknown of issue.keys)
        source.faultAtKey(
          [...path, unknown],
          `"${unknown}" is not a key here`,
          keysAdvice(unknown, keysOf(schemaAt(schema, path))),
        )
      return
    case "invalid_union":
      for (const inner of likeliest(issue.errors)) addFaults(inner, path, reading)
      return
    case "invalid_type":
      if (issue.input === undefined) source.faultAt(path.slice(0, -1), `${key} is missing`, right)
      else source.faultAt(path, `${key} is ${wordFor(issue.input)}`, right)
      return
    case "invalid_value":
      if (issue.input === undefined) source.faultAt(path.slice(0, -1), `${key} is missing`, right)
      else
        source.faultAt(
          path,
          `${key} is ${wordFor(issue.input)}`,
          valuesAdvice(issue.input, issue.values.map(String), right),
        )
      return
    case "too_small":
      source.faultAt(path, `${key} is ${typeof issue.input === "number" ? issue.input : "empty"}`, right)
      return
    case "custom":
      source.faultAt(path, issue.message, right)
      return
    case "too_big":
    case "invalid_format":
    case "invalid_key":
    case "invalid_element":
    case "not_multiple_of":
      source.faultAt(path, `${key} is ${wordFor(issue.input)}`, right)
  }
}

/** Of a union's branches the one that got furthest into the value: the others already fail at its type. */
function likeliest(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] {
  const deeper = branches.find(
    (issues) => !issues.some((issue) => issue.code === "invalid_type" && issue.path.length === 0),
  )
  return deeper ?? branches[0] ?? []
}

function nameOf(path: Path): string {
  const last = path.at(-1)
  if (last === undefined) return "the file"
  return typeof last === "number" ? `entry ${last + 1} of ${nameOf(path.slice(0, -1))}` : last
}

function wordFor(input: unknown): string {
  if (input === null || input === undefined) return "empty"
  if (Array.isArray(input)) return "a list"
  return typeof input === "object" ? "a map" : JSON.stringify(input)
}

function keysAdvice(unknown: string, known: readonly string[]): string {
  const meant = nearest(unknown, known)
  return meant ? `did you mean ${meant}?` : `one of: ${known.join(", ")}`
}

function valuesAdvice(input: unknown, values: readonly string[], right: string): string {
  const meant = typeof input === "string" ? nearest(input, values) : undefined
  return meant ? `did you mean ${meant}?` : right
}

/** The description of the innermost described schema on the way to `path`. */
function describe(top: z.ZodType, path: Path): string {
  for (let depth = path.length; depth >= 0; depth--) {
    const schema = schemaAt(top, path.slice(0, depth))
    const described = schema && given(schema)
    if (described instanceof z.ZodType && described.description) return described.description
  }
  return "see docs/configuration.md"
}

function schemaAt(top: z.ZodType, path: Path): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType | undefined = top
  for (const step of path) schema = schema && inner(bare(schema), step)
  return schema
}

function inner(schema: z.core.$ZodType, step: string | number): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodObject) return (schema.shape as z.ZodRawShape)[step]
  if (schema instanceof z.ZodRecord) return schema.valueType
  if (schema instanceof z.ZodArray) return schema.element
  if (schema instanceof z.ZodUnion) return schema.options.find((option) => option instanceof z.ZodArray)?.element
  return undefined
}

/** The schema of a value that is given: without "may be left out". */
function given(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodOptional ? given(schema.unwrap()) : schema
}

/** And without what is made of the value. */
function bare(schema: z.core.$ZodType): z.core.$ZodType {
  const written = given(schema)
  return written instanceof z.ZodPipe ? bare(written.in) : written
}

function keysOf(schema: z.core.$ZodType | undefined): readonly string[] {
  const object = schema && bare(schema)
  return object instanceof z.ZodObject ? Object.keys(object.shape) : []
}

/** What of `value` is right, part by part, so that one misspelt word does not hide the faults of everything else. */
function salvage(schema: z.core.$ZodType, value: unknown): unknown {
  const whole = z.safeParse(schema, value)
  if (whole.success) return whole.data
  const parts = bare(schema)
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
  const schemas: [string, z.core.$ZodType][] =
    parts instanceof z.ZodObject
      ? Object.entries(parts.shape as z.ZodRawShape)
      : parts instanceof z.ZodRecord
        ? Object.keys(value).map((key) => [key, parts.valueType])
        : []
  const kept = schemas.map(([key, part]) => [key, salvage(part, (value as Record<string, unknown>)[key])] as const)
  return Object.fromEntries(kept.filter(([, part]) => part !== undefined))
}
