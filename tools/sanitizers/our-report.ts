/** Reads what a sanitizer wrote about one process. */

/** What remains of a report when what is no fault of the engine's is left out: empty when nothing does. */
export function ourReport(report: string): string {
  return report
    .split(/\n\s*\n/)
    .filter((paragraph) => paragraph.trim() !== "" && isOurs(paragraph))
    .join("\n\n")
}

function isOurs(paragraph: string): boolean {
  if (/^(Direct|Indirect) leak of /.test(paragraph)) return tookMemory(paragraph)
  return !ABOUT_LEAKS.some((words) => paragraph.includes(words))
}

/**
 * Whether the engine asked for the memory itself. What Node takes on its behalf, Node also gives back; at the end of a
 * process that counts as lost, because nobody can look into the heap of V8 for who still has it.
 */
function tookMemory(leak: string): boolean {
  const frames = [...leak.matchAll(/^ *#\d+ 0x[0-9a-f]+ (.*)$/gm)].map(([, where = ""]) => where)
  return frames.find((where) => !where.includes("libsanitizer"))?.includes("/native/") ?? false
}

/** The frame around leaks, and the search for them that failed: it does where V8 has sealed memory off. */
const ABOUT_LEAKS = [
  "LeakSanitizer: detected memory leaks",
  "LeakSanitizer has encountered a fatal error",
  "byte(s) leaked in",
]
