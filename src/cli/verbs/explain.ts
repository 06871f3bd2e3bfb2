import { UsageError } from "../complaint.ts"
import { EXIT } from "../exit-code.ts"
import { markdownText } from "../markdown-text.ts"
import { allPages, type Page } from "../pages.ts"
import { nearest } from "../../names/nearest.ts"
import { coloured, columns, say, sayJson } from "../terminal.ts"
import { textTable } from "../text-table.ts"
import { JSON_OUTPUT, verb } from "../verb.ts"

/** `waypost explain CODE`: the page of a warning or fault. */
export const explain = verb({
  synopsis: "explain [code]",
  does: "show the page of a warning or fault; without a code, list them",
  options: { code: { type: "string", describe: "for instance WP101 or NAME_UNKNOWN" }, json: JSON_OUTPUT },
  examples: [["waypost explain WP101", "what the warning means and what to do"]],
  run: async ({ code, json }) => {
    const pages = await allPages()
    const shown = code === undefined ? pages : [pageOf(code, pages)]
    if (json) sayJson(shown)
    else if (code === undefined)
      say(
        textTable(
          pages.map((page) => [page.code, firstSentence(page)]),
          columns(),
        ),
      )
    else
      say(shown.map((page) => `${coloured("title", page.title)}\n\n${markdownText(page.text, columns())}`).join("\n\n"))
    return EXIT.fine
  },
})

function pageOf(code: string, pages: readonly Page[]): Page {
  const page = pages.find((candidate) => candidate.code.toLowerCase() === code.toLowerCase())
  if (page) return page
  const near = nearest(
    code,
    pages.map((candidate) => candidate.code),
  )
  throw new UsageError(
    `there is no page for ${code}${near ? `; did you mean ${near}?` : ""}`,
    `"waypost explain" lists all codes.`,
  )
}

function firstSentence({ title, code, text }: Page): string {
  const named = title.slice(code.length).trim()
  return named || (/^[^\n]*?\.(?=\s|$)/.exec(text)?.[0] ?? "")
}
