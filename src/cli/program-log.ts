/** The log of a running program: JSON lines (pino) for machines, one readable line per event on a terminal. */
import { pino } from "pino"
import type { Fields, Log } from "../log/log.ts"
import { coloured, say, type Mood } from "./terminal.ts"

export function programLog(): Log {
  return process.stdout.isTTY ? readableLog() : jsonLog()
}

/** As `log`, but what is no error is held back until `speaks`: a summary will say it better. */
export function quietUntil(speaks: () => boolean, log: Log): Log {
  return {
    info: (event, fields) => void (speaks() && log.info(event, fields)),
    warn: (event, fields) => void (speaks() && log.warn(event, fields)),
    error: (event, fields) => log.error(event, fields),
  }
}

function jsonLog(): Log {
  const sink = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime })
  return {
    info: (event, fields) => sink.info(fields ?? {}, event),
    warn: (event, fields) => sink.warn(fields ?? {}, event),
    error: (event, fields) => sink.error(fields ?? {}, event),
  }
}

function readableLog(): Log {
  const tell = (mood: Mood, level: string) => (event: string, fields?: Fields) =>
    say(`${coloured("quiet", clockTime(new Date()))} ${coloured(mood, level)} ${event}${fieldsText(fields)}`)
  return { info: tell("quiet", "info "), warn: tell("careful", "warn "), error: tell("bad", "error") }
}

function clockTime(when: Date): string {
  return when.toTimeString().slice(0, "hh:mm:ss".length)
}

/** `key=value`, quoted where the value could be misread. Control characters from a peer never reach the terminal raw. */
export function fieldsText(fields: Fields = {}): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${/^[\w.:/@[\]-]+$/.test(String(value)) ? value : JSON.stringify(value)}`)
    .join("")
}
