/** What happens in a scene, in order, as it is acted; what was found out is said by those who found it. */
import type { Person, Step } from "./ladder.ts"
import type { Compared } from "./page.ts"

export class Story {
  readonly steps: Step[] = []
  readonly compared: Compared[] = []
  /** What Bob's relay is told in a story that starts it without `bob.carries`. */
  told: string | undefined

  /** `sealedFor`: whose key the TLS between the two was made with. */
  says(from: Person, to: Person, what: string, sealedFor?: Person): void {
    this.steps.push({ kind: "says", from, to, what, sealedFor })
  }

  found(about: Person, what: string): void {
    this.steps.push({ kind: "found", about, what })
  }

  happens(what: string): void {
    this.steps.push({ kind: "happens", what })
  }
}
