/** A relay's state as metrics. */
import type { Spool } from "../store/spool.ts"
import type { Accounts } from "./accounts.ts"
import type { Metric } from "./metrics-text.ts"

export async function metricsOf(
  accounts: Accounts,
  spool: Spool,
  friends: readonly string[],
): Promise<readonly Metric[]> {
  const usages = await Promise.all(friends.map(async (friend) => ({ friend, ...(await spool.usage(friend)) })))
  return [
    ...connectionMetrics(accounts),
    {
      name: "waypost_spool_messages",
      help: "Messages waiting for a friend's box.",
      type: "gauge",
      samples: usages.map(({ friend, messages }) => ({ labels: { friend }, value: messages })),
    },
    {
      name: "waypost_spool_bytes",
      help: "What they take on disk.",
      type: "gauge",
      samples: usages.map(({ friend, bytes }) => ({ labels: { friend }, value: bytes })),
    },
  ]
}

function connectionMetrics(accounts: Accounts): readonly Metric[] {
  const all = accounts.all()
  return [
    {
      name: "waypost_connections_total",
      help: "Connections that have ended, by how.",
      type: "counter",
      samples: all.map(({ listener, how, connections }) => ({ labels: { listener, how }, value: connections })),
    },
    {
      name: "waypost_carried_bytes_total",
      help: "Bytes spliced on dedicated routes.",
      type: "counter",
      samples: all.flatMap(({ listener, how, bytesToBackend, bytesToVisitor }) => [
        { labels: { listener, how, to: "backend" }, value: bytesToBackend },
        { labels: { listener, how, to: "visitor" }, value: bytesToVisitor },
      ]),
    },
    {
      name: "waypost_connection_seconds_total",
      help: "How long they lasted, together.",
      type: "counter",
      samples: all.map(({ listener, how, durationMs }) => ({ labels: { listener, how }, value: durationMs / 1000 })),
    },
  ]
}
