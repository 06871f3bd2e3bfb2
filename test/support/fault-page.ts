/** The last line of every section of docs/faults.md, as the code has it. */
import { kindOf, type Blame, type FaultCode } from "../../src/faults/faults.ts"

const MOVE: Readonly<Record<Blame, string>> = {
  peer: "the peer's",
  friend: "the friend's",
  operator: "the operator's",
  passes: "nobody's",
}

/** `Whose move: the peer's. Told: "…" Answered with: SMTP 550 5.7.1.` */
export function answerLine(code: FaultCode): string {
  const { blame, tell, smtp, http, alert } = kindOf(code)
  const answers = [smtp && `SMTP \`${smtp}\``, http && `HTTP \`${http}\``, alert && `TLS alert \`${alert}\``].filter(
    Boolean,
  )
  const answered = answers.length > 0 ? ` Answered with ${answers.join(", ")}.` : ""
  return `Whose move: ${MOVE[blame]}. Said: “${tell}”.${answered}`
}
