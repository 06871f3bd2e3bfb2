/**
 * Plays one part of a prelude from a script. What must hold for every protocol and for both parts is here, once: nobody
 * speaks out of turn, the talk is short, and nothing said in the clear is left over when TLS begins (CVE-2011-0411).
 */
import type { Parsed } from "../bytes/parsed.ts"
import type { FaultCode } from "../faults/faults.ts"
import { close, say, type Prelude, type Wish, type Wishes } from "./prelude.ts"

/** What differs: a protocol, and the part that is played in it. `Unit` is what it is spoken in: lines, or tags. */
export interface Script<Unit> {
  /** `server`: questions may come in one piece. `client`: an answer must have ended before the next question. */
  readonly part: "server" | "client"
  /** Who needs more units than this to come to TLS wants something else. */
  readonly unitsMax: number
  /** What is said without being asked; empty if the other end begins. */
  readonly greeting: string
  read(received: Uint8Array): Parsed<Unit, FaultCode>
  heard(unit: Unit): Wishes
  /** What is said before closing; empty: nothing. */
  farewell(code: FaultCode): string
}

export class Player<Unit> implements Prelude {
  readonly #script: Script<Unit>
  #at: "not-begun" | "talking" | "over" = "not-begun"
  #unread: Uint8Array = new Uint8Array()
  #units = 0

  constructor(script: Script<Unit>) {
    this.#script = script
  }

  begin(): Wishes {
    this.#at = "talking"
    return this.#script.greeting === "" ? [] : [say(this.#script.greeting)]
  }

  received(bytes: Uint8Array): Wishes {
    if (this.#at === "not-begun") return this.#refuse("PIPELINED_UNASKED", "bytes before the greeting")
    this.#unread = this.#unread.length === 0 ? Uint8Array.from(bytes) : Buffer.concat([this.#unread, bytes])
    const wishes: Wish[] = []
    while (this.#at === "talking") {
      const unit = this.#script.read(this.#unread)
      if (unit.kind === "need-more") break
      if (unit.kind === "refused") wishes.push(...this.#refuse(unit.why, "in the clear part"))
      else wishes.push(...this.#answer(unit.value, unit.consumedBytes))
    }
    return wishes
  }

  end(code: FaultCode, detail: string): Wishes {
    if (this.#at === "over") return []
    this.#at = "over"
    const farewell = this.#script.farewell(code)
    return [...(farewell === "" ? [] : [say(farewell)]), close(code, detail)]
  }

  #answer(unit: Unit, unitBytes: number): Wishes {
    this.#unread = this.#unread.subarray(unitBytes)
    this.#units += 1
    if (this.#units > this.#script.unitsMax) return this.#refuse("PRELUDE_TOO_LONG", `more than ${this.#units - 1}`)
    const wishes = this.#script.heard(unit)
    const last = wishes.at(-1)
    if (last === undefined) return wishes
    const endsTurn = last.do === "begin-tls" || (last.do === "say" && this.#script.part === "client")
    if (endsTurn && this.#unread.length > 0) return this.#refuse("PIPELINED_UNASKED", "bytes out of turn")
    if (last.do !== "say") this.#at = "over"
    if (last.do !== "hand-over") return wishes
    return [...wishes.slice(0, -1), { ...last, replay: Buffer.concat([last.replay, this.#unread]) }]
  }

  /** A fault in how the other end speaks; of a friend's server it is the server that does not follow its protocol. */
  #refuse(code: FaultCode, detail: string): Wishes {
    return this.#script.part === "server" ? this.end(code, detail) : this.end("HOME_MALFORMED", `${code}: ${detail}`)
  }
}
