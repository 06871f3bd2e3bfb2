/** Tests that read as a dialogue: `C:` and `S:` are what client and server say, in parentheses what else happens. */
import type { Prelude, Wishes } from "../../src/prelude/prelude.ts"

/**
 * Plays a machine against the lines of the other end in `script`, each in a segment of its own, and gives the whole
 * dialogue as it went: compare it with `lines(script)`. What the machine asks for is shown as `(begin TLS)`,
 * `(close CODE)` or `(hand over: …)`.
 */
export function replay(machine: Prelude, part: "server" | "client", script: string): string[] {
  const [ours, theirs] = part === "server" ? ["S", "C"] : ["C", "S"]
  const went = shown(machine.begin(), ours)
  for (const line of lines(script).filter((each) => each.startsWith(`${theirs}: `))) {
    went.push(line, ...shown(machine.received(Buffer.from(`${line.slice(3)}\r\n`, "latin1")), ours))
  }
  return went
}

/** The lines of a script in a test, without indentation. */
export function lines(script: string): string[] {
  return script.trim().split(/\n\s*/)
}

function shown(wishes: Wishes, speaker: string): string[] {
  return wishes.flatMap((wish) => {
    switch (wish.do) {
      case "say":
        return wish.text
          .replace(/\r\n$/, "")
          .split("\r\n")
          .map((line) => `${speaker}: ${line}`)
      case "begin-tls":
        return ["(begin TLS)"]
      case "hand-over":
        return [`(hand over: ${JSON.stringify(Buffer.from(wish.replay).toString("latin1"))})`]
      case "close":
        return [`(close${wish.why ? ` ${wish.why.code}` : ""})`]
    }
  })
}
