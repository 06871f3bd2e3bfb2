/** A log that a test can read. */
import type { Fields, Log } from "../../src/log/log.ts"

export type LogList = Log & {
  readonly entries: readonly {
    readonly level: "info" | "warn" | "error"
    readonly event: string
    readonly fields: Fields
  }[]
  /** The fields of every entry with this event. */
  all(event: string): readonly Fields[]
}

export function logList(): LogList {
  const entries: LogList["entries"][number][] = []
  const keep =
    (level: "info" | "warn" | "error") =>
    (event: string, fields: Fields = {}) => {
      entries.push({ level, event, fields })
    }
  return {
    entries,
    all: (event) => entries.filter((entry) => entry.event === event).map(({ fields }) => fields),
    info: keep("info"),
    warn: keep("warn"),
    error: keep("error"),
  }
}
