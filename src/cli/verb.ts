/** One verb of the command line, typed by its own options, as yargs wants it. */
import type { CommandModule, InferredOptionTypes, Options, PositionalOptions } from "yargs"
import type { ExitCode } from "./exit-code.ts"

type Description<Named extends Record<string, Options>> = {
  /** As in a synopsis: `explain [code]`. What stands in brackets is described in `options` too. */
  readonly synopsis: string
  readonly does: string
  readonly options: Named
  readonly examples?: readonly (readonly [command: string, what: string])[]
  readonly run: (given: InferredOptionTypes<Named>) => Promise<ExitCode>
}

export type Verb = CommandModule & { readonly optionNames: readonly string[] }

export function verb<Named extends Record<string, Options>>(what: Description<Named>): Verb {
  return {
    command: what.synopsis,
    describe: what.does,
    optionNames: Object.entries(what.options).flatMap(([name, { alias }]) => [name, ...[alias ?? []].flat()]),
    builder: (program) => {
      for (const [name, option] of Object.entries(what.options)) {
        if (what.synopsis.includes(`[${name}]`) || what.synopsis.includes(`<${name}>`))
          program.positional(name, option as PositionalOptions)
        else program.option(name, option)
      }
      return program.example((what.examples ?? []).map(([line, does]) => [line, does]))
    },
    handler: async (given) => {
      // yargs has just checked what was given against these very options
      process.exitCode = await what.run(given as unknown as InferredOptionTypes<Named>)
    },
  }
}

/** Options that several verbs share, so that they are called the same everywhere. */
export const CONFIG = {
  alias: "c",
  type: "string",
  demandOption: true,
  requiresArg: true,
  describe: "the relay's configuration file",
} as const

export const JSON_OUTPUT = { type: "boolean", default: false, describe: "print JSON for programs" } as const
