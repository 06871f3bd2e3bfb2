/** Finds what was probably meant by a misspelt word, for "did you mean". */

/** The candidate that is closest to `word`, if it is close enough to be a slip of the fingers. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const slipsMax = Math.max(1, Math.floor(word.length / 3))
  let best: { readonly candidate: string; readonly slips: number } | undefined
  for (const candidate of candidates) {
    const slips = distance(word.toLowerCase(), candidate.toLowerCase())
    if (slips <= slipsMax && slips < (best?.slips ?? Infinity)) best = { candidate, slips }
  }
  return best?.candidate
}

/** "did you mean …?", or everything there is to choose from. */
export function didYouMean(word: string, known: readonly string[], plural: string): string {
  const meant = nearest(word, known)
  if (meant) return `did you mean ${meant}?`
  return known.length > 0 ? `the ${plural} are: ${known.join(", ")}` : `there are no ${plural} yet`
}

/** Letters changed, added, dropped, or swapped with their neighbour (Damerau 1964). */
function distance(left: string, right: string): number {
  let before: number[] = []
  let above = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1]
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      current[column] = Math.min(
        (above[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (same ? 0 : 1),
        swapped ? (before[column - 2] ?? 0) + 1 : Infinity,
      )
    }
    before = above
    above = current
  }
  return above[right.length] ?? 0
}
