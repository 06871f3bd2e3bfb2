/** What is written for people: to standard output, as wide as the terminal, in colour only where that is wanted. */
import { styleText } from "node:util"
import { EXIT } from "./exit-code.ts"

/** Ours: what a terminal has had since the VT100; also the width of what is piped. */
const COLUMNS_WITHOUT_TERMINAL = 80

export function columns(): number {
  return process.stdout.columns || COLUMNS_WITHOUT_TERMINAL
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

export function sayJson(value: unknown): void {
  say(JSON.stringify(value, undefined, 2))
}

export type Mood = "good" | "careful" | "bad" | "quiet" | "title"

const STYLES = { good: "green", careful: "yellow", bad: "red", quiet: "dim", title: "bold" } as const

/** Colours for a terminal; plain when piped or when NO_COLOR is set (no-color.org). */
export function coloured(mood: Mood, text: string): string {
  return styleText(STYLES[mood], text, { stream: process.stdout })
}

/** `waypost … | head`: when nobody reads any more, there is nothing left to do and nothing to complain about. */
export function endQuietlyOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(EXIT.fine)
      throw error
    })
  }
}
