/** A log that a test reads. */
import type { Fields, Log } from "../../src/log/log.ts"

export type Said = { readonly level: keyof Log; readonly event: string } & Fields

export type KeptLog = Log & {
  readonly said: readonly Said[]
  /** What was said of one kind of event. */
  all(event: string): readonly Said[]
}

export function keptLog(): KeptLog {
  const said: Said[] = []
  const keep =
    (level: keyof Log) =>
    (event: string, fields: Fields = {}): void =>
      void said.push({ ...fields, level, event })
  const all = (event: string): readonly Said[] => said.filter((one) => one.event === event)
  return { said, all, info: keep("info"), warn: keep("warn"), error: keep("error") }
}
