/** A page of the documentation for a terminal: paragraphs as wide as it is, and no marks that only a browser needs. */
import { coloured } from "./terminal.ts"
import { wrapped } from "./text-table.ts"

export function markdownText(markdown: string, widthChars: number): string {
  return markdown
    .split(/\n{2,}/)
    .map((block) => (KEEPS_ITS_LINES.test(block) ? block : paragraph(block, widthChars)))
    .join("\n\n")
}

/** Code, tables and headings. */
const KEEPS_ITS_LINES = /^(```| {4}|\||#)/

function paragraph(block: string, widthChars: number): string {
  const items = block.split(/\n(?=[-*] |\d+\. )/)
  return items.map((item) => wrapped(inline(item.replace(/\s*\n\s*/g, " ")), widthChars).join("\n")).join("\n")
}

function inline(text: string): string {
  return text
    .replace(/\[([^\]]+)\]\(([^)]+)\)/g, (_, words: string, target: string) =>
      target === words || target.startsWith(`${words}#`) ? words : `${words} (${target})`,
    )
    .replace(/\*\*([^*]+)\*\*/g, (_, words: string) => coloured("title", words))
    .replace(/`([^`]+)`/g, "$1")
}
