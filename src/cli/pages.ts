/** The pages of warnings and faults: sections of docs/*.md, found by the code that opens their heading. */
import { readdir, readFile } from "node:fs/promises"

const DOCS = new URL("../../docs/", import.meta.url)
/** `## WP101 relay-reads-mail` or "### `NOT_OURS`". */
const HEADING = /^(#{2,4}) +`?((?:WP\d{3})|(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*))`?(?: |$)/

export type Page = { readonly code: string; readonly title: string; readonly text: string; readonly file: string }

/** Every page there is, in the order of the files. */
export async function allPages(): Promise<readonly Page[]> {
  const names = (await readdir(DOCS)).filter((name) => /^(faults|warnings)\.md$/.test(name)).toSorted()
  const pages = await Promise.all(names.map(async (name) => pagesIn(await readFile(new URL(name, DOCS), "utf8"), name)))
  return pages.flat()
}

/** A page ends where the next heading of its own rank or a higher one begins. */
export function pagesIn(markdown: string, file: string): readonly Page[] {
  const lines = markdown.split("\n")
  return lines.flatMap((line, start) => {
    const [, marks = "", code] = HEADING.exec(line) ?? []
    if (!code) return []
    const next = lines.findIndex(
      (later, at) => at > start && (/^(#+) /.exec(later)?.[1]?.length ?? Infinity) <= marks.length,
    )
    const text = lines
      .slice(start + 1, next < 0 ? undefined : next)
      .join("\n")
      .trim()
    return [{ code, title: line.slice(marks.length).replaceAll("`", "").trim(), text, file }]
  })
}
