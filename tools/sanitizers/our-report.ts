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
 * Whether the engine took the memory, itself or by one call of Node's. Externals are left out: what Node remembers of them
 * hangs on the heap of V8, into which nobody can look, so those of a process that ends count as lost.
 */
function tookMemory(leak: string): boolean {
  const frames = [...leak.matchAll(/^ *#\d+ 0x[0-9a-f]+ (.*)$/gm)].map(([, where = ""]) => where)
  const [taker = "", caller = ""] = frames.filter((where) => !where.includes("libsanitizer"))
  return [taker, caller].some((where) => where.includes("/native/")) && !taker.includes("napi_create_external")
}

/** The frame around leaks, and the search for them that failed: it does where V8 has sealed memory off. */
const ABOUT_LEAKS = [
  "LeakSanitizer: detected memory leaks",
  "LeakSanitizer has encountered a fatal error",
  "byte(s) leaked in",
]
