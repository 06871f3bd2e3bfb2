/** Several listeners of the native engine that are one to everybody else. */
import type { OpenListener } from "../engine.ts"

/** One listener that needs several in the engine. */
export function together(first: OpenListener, more: readonly OpenListener[]): OpenListener {
  if (more.length === 0) return first
  const all = [first, ...more]
  return {
    bound: first.bound,
    descriptors: all.flatMap(({ descriptors }) => descriptors),
    stop: async () => void (await Promise.all(all.map((each) => each.stop()))),
    drained: async () => void (await Promise.all(all.map((each) => each.drained()))),
  }
}
