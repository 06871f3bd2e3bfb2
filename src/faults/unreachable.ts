/** The end of every exhaustive `switch`: the compiler proves that it cannot be reached. */
export function unreachable(state: never): never {
  throw new Error(`unreachable state: ${JSON.stringify(state)}`)
}
