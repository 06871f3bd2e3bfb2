/** Durations, sizes and rates as people write them: `10s`, `5m`, `21d`, `50MB`, `10MB/s`. A bare number is refused: it has no unit. */

const MS_PER: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}

/** Decimal units as in SI, binary ones as in IEC 80000-13. */
const BYTES_PER: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  TB: 1_000_000_000_000,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
  TiB: 1_099_511_627_776,
}

/** Milliseconds; `undefined` if it is no duration. */
export function durationMs(text: string): number | undefined {
  return amount(text, MS_PER)
}

/** Bytes; `undefined` if it is no size. */
export function sizeBytes(text: string): number | undefined {
  return amount(text, BYTES_PER)
}

/** Bytes that a `500kbit/s` line has in a second. */
const BYTES_PER_BITS: Readonly<Record<string, number>> = {
  kbit: 125,
  Mbit: 125_000,
  Gbit: 125_000_000,
}

/** Bytes per second, of `10MB/s` or `80Mbit/s`; `undefined` if it is no rate. */
export function bytesPerSecond(text: string): number | undefined {
  const each = text.endsWith("/s") ? text.slice(0, -"/s".length) : ""
  return amount(each, BYTES_PER) ?? amount(each, BYTES_PER_BITS)
}

function amount(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const parts = /^(?<count>\d{1,12}) ?(?<unit>[A-Za-z]{1,4})$/.exec(text)?.groups
  const unit = parts && Object.hasOwn(units, parts["unit"] ?? "") ? units[parts["unit"] ?? ""] : undefined
  return unit && parts ? Number(parts["count"]) * unit : undefined
}
