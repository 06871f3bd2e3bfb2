/** How senders come to the ports that the owner shares with other friends of a relay, as the relay tells it. */
import * as z from "zod"

const connectionsSchema = z.object({
  labels: z.object({ listener: z.string(), sender: z.string(), outcome: z.string() }),
  connections: z.number().int().nonnegative(),
})

const mailsSchema = z.object({
  labels: z.object({ listener: z.string(), sender: z.string() }),
  mails: z.number().int().nonnegative(),
})

const countsSchema = z.object({ connections: z.array(connectionsSchema), mails: z.array(mailsSchema) })

/** Since the relay was started. */
export type SendersSeen = z.output<typeof countsSchema>

/** `undefined`: it is not what docs/tunnel-protocol.md §12 says. */
export function readSenders(json: string): SendersSeen | undefined {
  try {
    return countsSchema.safeParse(JSON.parse(json)).data
  } catch {
    return undefined
  }
}

export function someCame({ connections, mails }: SendersSeen): boolean {
  return connections.length + mails.length > 0
}

/** One line for people: how much came end to end, and how much would be lost, or read at the relay, and why. */
export function describeSenders({ connections, mails }: SendersSeen): string {
  const carried = sum(connections.filter(({ labels }) => labels.outcome === "carried").map((each) => each.connections))
  const away = sum(connections.filter(({ labels }) => labels.sender === "home-away").map((each) => each.connections))
  const read = new Map<string, number>()
  for (const { labels, mails: some } of mails) read.set(labels.sender, (read.get(labels.sender) ?? 0) + some)
  const why = [...read].map(([sender, some]) => `${some} ${WHY[sender] ?? sender}`).join(", ")
  const ended = `${sum([...read.values()])} mails ended at the relay${why && ` (${why})`}`
  return `senders at shared ports: ${carried} carried, ${away} came while this box was away; ${ended}`
}

const WHY: Readonly<Record<string, string>> = {
  "without-tls": "without TLS",
  "without-name": "naming nobody",
  "unknown-name": "naming another host",
  "home-away": "while this box was away",
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0)
}
