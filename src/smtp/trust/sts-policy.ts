/** MTA-STS (RFC 8461): the record that says there is a policy, and the policy. Pure. */
import { hostname, hostPattern, parentOf, type HostPattern } from "../../names/hostname.ts"

export type StsPolicy = {
  readonly mode: "enforce" | "testing" | "none"
  /** Who may take the domain's mail. */
  readonly mx: readonly HostPattern[]
  readonly maxAgeSeconds: number
}

/** RFC 8461 §3.2: about a year, and no longer. */
const MAX_AGE_SECONDS_MAX = 31_557_600
/** Ours: a domain with more mail hosts than this names them by wildcard. */
const MX_PATTERNS_MAX = 100
const MODES: ReadonlySet<string> = new Set(["enforce", "testing", "none"])

/** RFC 8461 §3.1: the id of the policy; `undefined` unless exactly one TXT record is an MTA-STS record. */
export function stsId(texts: readonly string[]): string | undefined {
  const [record, ...more] = texts.filter((text) => /^v=STSv1[ \t]*;/.test(text))
  if (record === undefined || more.length > 0) return undefined
  return /;[ \t]*id=(?<id>[A-Za-z0-9]{1,32})[ \t]*(?:;|$)/.exec(record)?.groups?.["id"]
}

/** RFC 8461 §3.2; `undefined` if it is none. Of a field that comes twice the first counts, but every `mx` does. */
export function readStsPolicy(text: string): StsPolicy | undefined {
  const fields = text.split(/\r?\n/).flatMap((line) => {
    const parts = /^(?<key>[A-Za-z0-9][A-Za-z0-9_.-]*)[ \t]*:[ \t]*(?<value>.*?)[ \t]*$/.exec(line)?.groups
    return parts ? [{ key: parts["key"] ?? "", value: parts["value"] ?? "" }] : []
  })
  const first = (key: string): string | undefined => fields.find((field) => field.key === key)?.value
  const [mode, maxAge] = [first("mode"), first("max_age")]
  if (first("version") !== "STSv1" || mode === undefined || !MODES.has(mode)) return undefined
  if (maxAge === undefined || !/^\d{1,10}$/.test(maxAge)) return undefined
  const patterns = fields.filter(({ key }) => key === "mx").map(({ value }) => hostPattern(value))
  const mx = patterns.filter((pattern) => pattern !== undefined)
  if (mx.length < patterns.length || mx.length > MX_PATTERNS_MAX) return undefined
  if (mode !== "none" && mx.length === 0) return undefined
  const maxAgeSeconds = Math.min(Number(maxAge), MAX_AGE_SECONDS_MAX)
  return { mode: mode as StsPolicy["mode"], mx, maxAgeSeconds } // MODES has it
}

/** RFC 8461 §4.1: a wildcard stands for exactly one label. */
export function stsAllows({ mx }: StsPolicy, host: string): boolean {
  const name = hostname(host)
  const parent = name && parentOf(name)
  return mx.some((pattern) => (pattern.wildcard ? pattern.name === parent : pattern.name === name))
}
