/** A relay's state as metrics. */
import type { Instant } from "../clock/clock.ts"
import { OWN_MAIL, TLS_REPORTS } from "../smtp/delivery/target.ts"
import type { ValidationWatch } from "../dns/validation.ts"
import type { Spool } from "../store/spool.ts"
import type { Accounts } from "./accounts.ts"
import type { KernelCounts, KernelPath } from "./kernel-path.ts"
import type { MailAccounts } from "./mail-accounts.ts"
import type { OutgoingAccounts } from "./outgoing-accounts.ts"
import type { PreludeAccounts } from "./prelude-accounts.ts"
import type { Metric, Sample } from "./metrics-text.ts"
import type { FriendTraffic, Traffic } from "./traffic.ts"

export type Measured = {
  readonly accounts: Accounts
  readonly mailAccounts: MailAccounts
  readonly preludes: PreludeAccounts
  readonly outgoing: Pick<OutgoingAccounts, "outcomes">
  readonly spool: Spool
  readonly validation: Pick<ValidationWatch, "known">
  readonly traffic: Pick<Traffic, "all">
  readonly kernel: Pick<KernelPath, "counts">
  readonly friends: readonly string[]
  readonly now: Instant
}

export async function metricsOf(measured: Measured): Promise<readonly Metric[]> {
  const { accounts, mailAccounts, preludes, spool, traffic, kernel, friends, now } = measured
  return [
    ...connectionMetrics(accounts),
    ...trafficMetrics(traffic.all()),
    ...preludeMetrics(preludes),
    ...outgoingMetrics(traffic.all(), measured.outgoing),
    ...daneMetrics(measured.validation),
    ...kernelMetrics(await kernel.counts()),
    ...(await spoolMetrics(spool, [...friends, OWN_MAIL, TLS_REPORTS], now)),
    ...mailMetrics(mailAccounts),
  ]
}

function mailMetrics(mailAccounts: MailAccounts): readonly Metric[] {
  return [
    {
      name: "waypost_mails_accepted_total",
      help: "Mails answered with 250: passed to the friend's server while their sender waited, or kept.",
      type: "counter",
      samples: mailAccounts.allTaken().map(({ labels, count }) => ({ labels, value: count })),
    },
    {
      name: "waypost_mail_refusals_total",
      help: "What senders were refused with 4xx or 5xx, rates among them, by fault (waypost explain REASON).",
      type: "counter",
      samples: mailAccounts.allRefused().map(({ labels, count }) => ({ labels, value: count })),
    },
    {
      name: "waypost_mail_outcomes_total",
      help: "What came of recipients: delivered, refused or later, and by which fault (waypost explain REASON).",
      type: "counter",
      samples: mailAccounts.all().map(({ labels, count }) => ({ labels, value: count })),
    },
    {
      name: "waypost_mail_tls_total",
      help: "Recipients whose mail was delivered, by what proved the next hop: dane, mta-sts, certificate, pin; anybody: TLS, unproved; none: plain.",
      type: "counter",
      samples: mailAccounts.allTls().map(({ labels, count }) => ({ labels, value: count })),
    },
  ]
}

function daneMetrics({ known }: Measured["validation"]): readonly Metric[] {
  const because = known?.kind === "off" ? known.because : ""
  return [
    {
      name: "waypost_dane_on",
      help: "1 if the resolver validates, so that DANE is done towards hosts that publish it; 0 and why if not.",
      type: "gauge",
      samples: known ? [{ labels: { because }, value: known.kind === "on" ? 1 : 0 }] : [],
    },
  ]
}

function preludeMetrics(preludes: PreludeAccounts): readonly Metric[] {
  const { connections, mails } = preludes.all()
  return [
    {
      name: "waypost_preludes_total",
      help: "Connections to ports shared by STARTTLS: how the sender named the friend, and what became of it.",
      type: "counter",
      samples: connections.map((account) => ({ labels: account.labels, value: account.connections })),
    },
    {
      name: "waypost_otherwise_mails_total",
      help: "Mails that ended at the relay (otherwise: peer) because their sender could not be carried, by why.",
      type: "counter",
      samples: mails.map((account) => ({ labels: account.labels, value: account.mails })),
    },
  ]
}

function outgoingMetrics(friends: readonly FriendTraffic[], outgoing: Measured["outgoing"]): readonly Metric[] {
  return [
    {
      name: "waypost_outgoing_connections",
      help: "Connections to mail servers outside that run now, of friends who had any within the last hour.",
      type: "gauge",
      samples: friends.flatMap(({ friend, outgoing: counts }) =>
        counts ? { labels: { friend }, value: counts.running } : [],
      ),
    },
    {
      name: "waypost_outgoing_total",
      help: "What came of the connections to mail servers outside that friends' boxes asked for: opened, or why not.",
      type: "counter",
      samples: outgoing.outcomes().map(({ labels, connections }) => ({ labels, value: connections })),
    },
  ]
}

/** Notices of the relay's own stand under the name that no friend can have. */
async function spoolMetrics(spool: Spool, friends: readonly string[], now: Instant): Promise<readonly Metric[]> {
  const usages = await Promise.all(
    friends.map(async (friend) => ({
      friend,
      ...(await spool.usage(friend)),
      oldest: (await spool.oldest(friend)) ?? now,
    })),
  )
  return [
    {
      name: "waypost_spool_messages",
      help: "Messages waiting for a friend's server, held ones too.",
      type: "gauge",
      samples: usages.map(({ friend, messages }) => ({ labels: { friend }, value: messages })),
    },
    {
      name: "waypost_spool_bytes",
      help: "What they take on disk.",
      type: "gauge",
      samples: usages.map(({ friend, bytes }) => ({ labels: { friend }, value: bytes })),
    },
    {
      name: "waypost_spool_oldest_seconds",
      help: "How long the oldest of them has been here; 0 if there is none.",
      type: "gauge",
      samples: usages.map(({ friend, oldest }) => ({ labels: { friend }, value: Math.max(0, now - oldest) / 1000 })),
    },
  ]
}

function trafficMetrics(friends: readonly FriendTraffic[]): readonly Metric[] {
  return [
    {
      name: "waypost_friend_connections",
      help: "Dedicated connections that run now.",
      type: "gauge",
      samples: friends.map(({ friend, connections }) => ({ labels: { friend }, value: connections })),
    },
    {
      name: "waypost_friend_bytes_total",
      help: "Bytes carried on dedicated connections, running ones included.",
      type: "counter",
      samples: eachWay(friends, ["bytesToBackend", "bytesToVisitor"]),
    },
    {
      name: "waypost_friend_bytes_per_second",
      help: "The same over the last seconds.",
      type: "gauge",
      samples: eachWay(friends, ["bytesPerSecondToBackend", "bytesPerSecondToVisitor"]),
    },
    {
      name: "waypost_friend_bytes_per_second_max",
      help: "The rate that a friend is held to, both directions together; friends without one are not listed.",
      type: "gauge",
      samples: friends.flatMap(({ friend, bytesPerSecondMax: value }) =>
        value === undefined ? [] : { labels: { friend }, value },
      ),
    },
  ]
}

function kernelMetrics(routes: readonly KernelCounts[]): readonly Metric[] {
  return [
    {
      name: "waypost_kernel_connections_total",
      help: "Connections that the kernel has led (engine: kernel).",
      type: "counter",
      samples: routes.map(({ friend, listener, connections }) => ({
        labels: { friend, listener },
        value: connections,
      })),
    },
    {
      name: "waypost_kernel_bytes_total",
      help: "What they have moved: IP packets, headers included.",
      type: "counter",
      samples: routes.flatMap(({ friend, listener, bytesToBackend, bytesToVisitor }) => [
        { labels: { friend, listener, to: "backend" }, value: bytesToBackend },
        { labels: { friend, listener, to: "visitor" }, value: bytesToVisitor },
      ]),
    },
  ]
}

type Way = "bytesToBackend" | "bytesToVisitor" | "bytesPerSecondToBackend" | "bytesPerSecondToVisitor"

function eachWay(friends: readonly FriendTraffic[], [toBackend, toVisitor]: readonly [Way, Way]): readonly Sample[] {
  return friends.flatMap((traffic) => [
    { labels: { friend: traffic.friend, to: "backend" }, value: traffic[toBackend] },
    { labels: { friend: traffic.friend, to: "visitor" }, value: traffic[toVisitor] },
  ])
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
