/** A log that a test reads. */
import type { Fields, Log } from "../../src/log/log.ts"

export type Said = { readonly level: keyof Log; readonly event: string } & Fields

export type KeptLog = Log & { readonly said: readonly Said[] }

export function keptLog(): KeptLog {
  const said: Said[] = []
  const keep =
    (level: keyof Log) =>
    (event: string, fields: Fields = {}): void =>
      void said.push({ ...fields, level, event })
  return { said, info: keep("info"), warn: keep("warn"), error: keep("error") }
}
