/** A chapter is a question, some scenes that act it out, and the answer; its page in docs/scenarios is made from the run. */
import { describe, test } from "@jest/globals"
import { fileURLToPath } from "node:url"
import { expectGolden } from "../../support/golden.ts"
import { chapterMarkdown, type ScenePage } from "./page.ts"
import { openWorld, type World } from "./world.ts"

export type Chapter = {
  /** One act, with a world of its own. */
  readonly scene: (title: string, act: (world: World) => Promise<void>) => void
  /** Ends the chapter. */
  readonly answer: (text: string) => void
}

/** What a chapter asks of the machine. */
export type Needs = {
  /** What it needs and this machine has not: the chapter is skipped then, and says so. */
  readonly lacks?: string | undefined
  /** For one scene, where that of all tests is too short. */
  readonly deadlineMs?: number
}

/** `file` is the name of the test and of the page, "02-dedicated-by-address"; `title` is for people. */
export function chapter(file: string, title: string, question: string, needs: Needs = {}): Chapter {
  const { lacks, deadlineMs } = needs
  const scenes: ScenePage[] = []
  const acts: { readonly title: string; readonly act: (world: World) => Promise<void> }[] = []
  if (lacks !== undefined) process.stderr.write(`SKIPPED: ${file}: ${lacks}\n`)
  const described = lacks === undefined ? describe : describe.skip
  return {
    scene: (sceneTitle, act) => void acts.push({ title: sceneTitle, act }),
    answer: (answer) =>
      described(lacks === undefined ? question : `${question} (SKIPPED: ${lacks})`, () => {
        for (const one of acts) {
          const acted = async () => {
            await using world = await openWorld()
            await one.act(world)
            scenes.push({ title: one.title, ...world.page() })
          }
          test(one.title, acted, deadlineMs)
        }
        test("its page in docs/scenarios is current", () => {
          const page = chapterMarkdown({ heading: `${file.slice(0, 2)} · ${title}`, question, scenes, answer })
          expectGolden(pagePath(file), page)
        })
      }),
  }
}

export function pagePath(file: string): string {
  return fileURLToPath(new URL(`../../../docs/scenarios/${file}.md`, import.meta.url))
}
