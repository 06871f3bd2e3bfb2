/** Horizontal bars as SVG, readable on a light and on a dark page. No library, no script, no font of its own. */

export type Bar = { readonly label: string; readonly value: number; readonly text: string; readonly ours: boolean }
export type Group = { readonly name: string; readonly bars: readonly Bar[] }
export type Chart = { readonly title: string; readonly groups: readonly Group[] }

const WIDTH = 760
const LABEL_WIDTH = 170
const VALUE_WIDTH = 90
const ROW = 20
const GROUP_HEAD = 30
const TITLE = 44
const MARGIN = 12

/** Every group has a scale of its own, from nothing to its longest bar. */
export function barChart({ title, groups }: Chart): string {
  let y = TITLE
  const drawn = groups.map((group) => {
    const at = y
    y += headOf(group) + group.bars.length * ROW
    return drawGroup(group, at)
  })
  const height = y + MARGIN
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.group { font-weight: 600 }
.others { fill: #8c959f }
.ours { fill: #0969da }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .others { fill: #6e7681 } .ours { fill: #4493f8 } }
</style>
<text class="title" x="${MARGIN}" y="26">${escaped(title)}</text>
${drawn.join("\n")}
</svg>
`
}

function headOf({ name }: Group): number {
  return name === "" ? 0 : GROUP_HEAD
}

function drawGroup(group: Group, top: number): string {
  const { name, bars } = group
  const longest = Math.max(...bars.map(({ value }) => value))
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH - MARGIN
  const rows = bars.map(({ label, value, text, ours }, index) => {
    const y = top + headOf(group) + index * ROW
    const length = longest > 0 ? Math.max(1, Math.round((value / longest) * room)) : 1
    const end = LABEL_WIDTH + length
    return [
      `<text x="${LABEL_WIDTH - 8}" y="${y + 13}" text-anchor="end">${escaped(label)}</text>`,
      `<rect class="${ours ? "ours" : "others"}" x="${LABEL_WIDTH}" y="${y + 2}" width="${length}" height="${ROW - 5}" rx="2"/>`,
      `<text x="${end + 6}" y="${y + 13}">${escaped(text)}</text>`,
    ].join("\n")
  })
  return [`<text class="group" x="${MARGIN}" y="${top + 20}">${escaped(name)}</text>`, ...rows].join("\n")
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;")
}
