/** What is found out about who a message is from while it comes in, as the fields that go above it. */
import type { Hostname } from "../../names/hostname.ts"
import type { HandedIn } from "../auth/findings.ts"
import type { Checker } from "../auth/checker.ts"
import type { Check } from "../auth/running-check.ts"
import { resultFields } from "../auth/result-fields.ts"

export class Authentication {
  readonly #name: Hostname
  readonly #by: HandedIn
  readonly #check: Check

  constructor(checker: Checker, name: Hostname, by: HandedIn) {
    this.#name = name
    this.#by = by
    this.#check = checker.begin(by)
  }

  /** Takes content as its sender wrote it. Never rejects. */
  write(piece: Uint8Array): Promise<void> {
    return this.#check.write(piece)
  }

  /** The content is at its end. Never rejects, and does not take longer than a check may. */
  async fields(): Promise<Uint8Array> {
    return Buffer.from(resultFields(this.#name, await this.#check.end(), this.#by))
  }

  /** The message is refused, or its sender is gone. */
  drop(): void {
    this.#check.drop()
  }
}
