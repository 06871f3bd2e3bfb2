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

/** `file` is the name of the test and of the page, "02-dedicated-by-address"; `title` is for people. */
export function chapter(file: string, title: string, question: string): Chapter {
  const scenes: ScenePage[] = []
  const acts: { readonly title: string; readonly act: (world: World) => Promise<void> }[] = []
  return {
    scene: (sceneTitle, act) => void acts.push({ title: sceneTitle, act }),
    answer: (answer) =>
      describe(question, () => {
        for (const one of acts) {
          test(one.title, async () => {
            await using world = await openWorld()
            await one.act(world)
            scenes.push({ title: one.title, ...world.page() })
          })
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
