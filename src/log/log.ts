/** What every part of Waypost may say while it runs. The program hands in pino; tests hand in a list. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>

export interface Log {
  info(event: string, fields?: Fields): void
  warn(event: string, fields?: Fields): void
  error(event: string, fields?: Fields): void
}

export const silentLog: Log = { info() {}, warn() {}, error() {} }
