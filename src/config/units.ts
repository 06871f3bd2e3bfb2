/** Durations and sizes as people write them: `10s`, `5m`, `21d`, `50MB`. A bare number is refused: it has no unit. */

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

function amount(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const parts = /^(?<count>\d{1,12}) ?(?<unit>[A-Za-z]{1,3})$/.exec(text)?.groups
  const unit = parts && Object.hasOwn(units, parts["unit"] ?? "") ? units[parts["unit"] ?? ""] : undefined
  return unit && parts ? Number(parts["count"]) * unit : undefined
}
