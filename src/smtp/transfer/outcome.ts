/**
 * What a box says became of mail that was handed to it, recipient by recipient: JSON, specified in docs/tunnel-protocol.md §8.
 * The relay believes the box as much as it believes a mail server: its words are quoted, and its verdict concerns its own mail.
 */
import * as z from "zod"
import { faults, type FaultCode } from "../../faults/faults.ts"
import { hostname } from "../../names/hostname.ts"
import { accepted, failed, type Answer, type HopFacts } from "../delivery/answer.ts"
import { readReply, printable, replyText } from "../delivery/reply.ts"

/** Answers by recipient. */
export type Outcome = ReadonlyMap<string, Answer>

const answerSchema = z.object({
  recipient: z.string(),
  kind: z.enum(["accepted", "refused", "later"]),
  /** The server's own words, where it spoke. */
  reply: z.string().optional(),
  /** Of `refused` and `later`. */
  code: z.string().optional(),
  detail: z.string().optional(),
  /** Who spoke. */
  from: z.object({ name: z.string().optional(), tls: z.string().optional(), dsn: z.boolean() }).optional(),
})

const outcomeSchema = z.object({ answers: z.array(answerSchema) })

export function outcomeText(outcome: Outcome): string {
  const answers = [...outcome].map(([recipient, answer]): z.input<typeof answerSchema> => {
    const { name, tls, dsn } = answer.from ?? { dsn: false }
    return {
      recipient,
      kind: answer.kind,
      ...(answer.reply && { reply: replyText(answer.reply) }),
      ...(answer.kind !== "accepted" && { code: answer.code, detail: answer.detail }),
      ...(answer.from && { from: { ...(name && { name }), ...(tls !== undefined && { tls }), dsn } }),
    }
  })
  return JSON.stringify({ answers })
}

/** An answer for each of `recipients`; whoever is not spoken of is to be tried again. `host`: where the box is, for the log. */
export function readOutcome(json: string, recipients: readonly string[], host: string): Outcome {
  const read = outcomeSchema.safeParse(parsed(json))
  const answers = new Map((read.success ? read.data.answers : []).map((answer) => [answer.recipient, answer]))
  return new Map(recipients.map((recipient) => [recipient, readAnswer(answers.get(recipient), host)]))
}

function readAnswer(said: z.output<typeof answerSchema> | undefined, host: string): Answer {
  if (!said) return failed("later", "HOME_AWAY", `${host} does not say what became of it`)
  const { name = "", tls, dsn = false } = said.from ?? {}
  const from: HopFacts = { host, name: hostname(name), tls: tls && printable(tls), proof: undefined, dsn }
  if (said.kind === "accepted") return accepted(said.reply ?? "250", from)
  const code = isFaultCode(said.code) ? said.code : said.kind === "refused" ? "HOME_REFUSES" : "HOME_SAYS_LATER"
  const answer = failed(said.kind, code, printable(said.detail ?? ""), said.from && from)
  return said.reply === undefined ? answer : { ...answer, reply: readReply(said.reply) }
}

function isFaultCode(code: string | undefined): code is FaultCode {
  return code !== undefined && Object.hasOwn(faults, code)
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
