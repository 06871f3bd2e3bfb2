/** Header fields whose values come from outside: whatever is in them, a field stays one field. */
import type { Instant } from "../../clock/clock.ts"

/** Ours: as much of a value as is worth quoting; with its name it stays below RFC 5322 §2.1.1's 998 octets. */
const VALUE_CHARS_MAX = 600

/** One field, or nothing if there is no value. Control characters become spaces. */
export function field(name: string, value: string | undefined): string {
  return value === undefined ? "" : `${name}: ${oneLine(value)}\r\n`
}

/** An address for between angle brackets. */
export function mailbox(address: string): string {
  return oneLine(address).replace(/[<>]/g, "?")
}

/** RFC 5322 §3.3, in UTC. */
export function dateTime(at: Instant): string {
  return new Date(at).toUTCString().replace("GMT", "+0000")
}

export function isAscii(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- the range is ASCII
  return !/[^\u0000-\u007f]/.test(text)
}

/** Without control characters, and cut. */
export function oneLine(value: string): string {
  return value.slice(0, VALUE_CHARS_MAX).replace(UNPRINTABLE, " ").trim()
}

/** Control characters, and the line ends that Unicode adds. */
// oxlint-disable-next-line no-control-regex -- they are what is removed
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g
