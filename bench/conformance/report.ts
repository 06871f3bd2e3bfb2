/** What a table of vectors against contestants came to, as Markdown. */

/** How one contestant did with one vector. */
export type Mark = "right" | "refuses what is valid" | "takes what is wrong"

export type Row = { readonly contestant: string; readonly marks: ReadonlyMap<string, Mark> }

const FAULTS = ["refuses what is valid", "takes what is wrong"] as const satisfies readonly Mark[]

/** A line for each contestant, and below it what each got wrong. */
export function tableOf(rows: readonly Row[]): string {
  const total = rows[0]?.marks.size ?? 0
  const head = `| program | right, of ${total} | ${FAULTS.join(" | ")} |\n|---|---|---|---|`
  const lines = rows.map(({ contestant, marks }) => {
    const right = named(marks, "right").length
    return `| ${contestant} | **${right}** | ${FAULTS.map((fault) => named(marks, fault).length).join(" | ")} |`
  })
  return [head, ...lines, "", ...rows.flatMap(faultsOf)].join("\n")
}

function faultsOf({ contestant, marks }: Row): readonly string[] {
  return FAULTS.filter((fault) => named(marks, fault).length > 0).map(
    (fault) => `- ${contestant} ${fault}: ${named(marks, fault).join("; ")}.`,
  )
}

function named(marks: ReadonlyMap<string, Mark>, wanted: Mark): readonly string[] {
  return [...marks].filter(([, mark]) => mark === wanted).map(([name]) => name)
}
