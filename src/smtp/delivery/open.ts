/** From a target to a session that is ready for mail: its hosts in order, each with the TLS that the route asks for. */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { Clock } from "../../clock/clock.ts"
import type { SocketAddress } from "../../names/endpoint.ts"
import type { Hostname } from "../../names/hostname.ts"
import type { IpAddress } from "../../names/ip-address.ts"
import type { Client } from "../../store/spool.ts"
import type { NextHopTls } from "../../route/route.ts"
import { failed, type Answer } from "./answer.ts"
import type { Dice } from "./back-off.ts"
import { endsHere, type Dial, type ReachBox } from "./dial.ts"
import { mxHops, type MxRecords, type MxResolver } from "./mx.ts"
import type { Visitor, VisitorName } from "./xclient.ts"
import { printable } from "./reply.ts"
import { resultType, type TlsFailure, type TlsOutcome } from "../tls-report/outcome.ts"
import { appliedPolicy, stsPolicyApplied } from "../trust/applied-policy.ts"
import type { NoDemand, PublishedTls } from "../trust/published-tls.ts"
import { proofOf, shownBy, tlsOptionsFor, unproven, upgradeFor, type Demand } from "../trust/demand.ts"
import type { StsPolicy } from "../trust/sts-policy.ts"
import { openSession, Session, type NotOpened } from "./session.ts"
import { hopText, type Hop, type Target } from "./target.ts"

export type Way = {
  readonly name: Hostname
  /** Where this relay itself listens for mail. */
  readonly ownAddresses: readonly SocketAddress[]
  readonly dial: Dial
  /** How mail is handed to boxes as a whole; without it they are spoken to in SMTP. */
  readonly reachBox: ReachBox | undefined
  readonly resolver: MxResolver
  readonly clock: Clock
  readonly dice: Dice
  readonly connectDeadlineMs: number
  /** What hosts publish about their TLS; without it nothing is looked up. */
  readonly published: PublishedTls | undefined
  /** Told what came of TLS with hosts that are held to what they publish. */
  readonly judged: ((outcome: TlsOutcome) => void) | undefined
  /** The name behind a visitor's address, for XCLIENT; without it none is known. */
  readonly nameBehind: ((address: IpAddress) => Promise<VisitorName>) | undefined
  /** Certificates that `verify` trusts instead of the public authorities. */
  readonly ca: readonly string[] | undefined
}

/** Ours: a resolver that has not answered by then will not. */
const RESOLVE_MS = 60_000

/** A session with the first host that takes one, or what to say of every recipient. */
export async function openTo(target: Target, way: Way, signal: AbortSignal): Promise<Session | Answer> {
  const found = await hopsOf(target, way)
  if ("kind" in found) return found
  const asked = { tls: target.tls, foundSecurely: found.securely, domain: target.domain }
  let last: NotOpened = { code: "HOME_AWAY", detail: "no host to try", tls: false }
  for (const hop of found.hops) {
    const opened = await openHop(hop, asked, { ...way, signal })
    if (opened instanceof Session) return opened
    last = { ...opened, detail: `${hopText(hop)}: ${opened.detail}` }
    if (last.code === "NEXT_HOP_IS_US" || signal.aborted) break // what comes after us is no nearer to the recipient
  }
  return failed(last.code === "NEXT_HOP_IS_US" ? "refused" : "later", last.code, last.detail)
}

/** What a next hop is told with XCLIENT of whoever handed a message in. */
export async function visitorOf(client: Client, { nameBehind, clock }: Way): Promise<Visitor> {
  const unknown: VisitorName = { kind: "unknown" }
  return { client, name: nameBehind ? await within(clock, RESOLVE_MS, nameBehind(client.address), unknown) : unknown }
}

/** `securely`: nobody on the way can have chosen them. */
type FoundHops = { readonly hops: readonly Hop[]; readonly securely: boolean }

async function hopsOf(target: Target, way: Way): Promise<FoundHops | Answer> {
  if (target.by === "route") return { hops: target.hops, securely: true }
  const silent = { kind: "failed", why: "the resolver is silent" } as const
  const asked = way.resolver(target.domain).catch((error: unknown) => ({ kind: "failed", why: String(error) }) as const)
  const found = await within<MxRecords>(way.clock, RESOLVE_MS, asked, silent)
  const hops = mxHops(target.domain, found, way.name, way.dice)
  return "kind" in hops ? hops : { hops, securely: found.kind === "records" && found.secure === true }
}

type SignalledWay = Way & { readonly signal: AbortSignal }
type Asked = { readonly tls: NextHopTls; readonly foundSecurely: boolean; readonly domain: Hostname }

/** RFC 7435: opportunistic TLS that fails is followed by plain text, because it promised nobody anything. */
async function openHop(hop: Hop, asked: Asked, way: SignalledWay): Promise<Session | NotOpened> {
  const demand = await demandOf(hop, asked, way)
  if (demand.kind === "no-demand") {
    if (demand.broken) way.judged?.(unnamedHost(hop, asked.domain, demand.broken, demand.because))
    return { code: demand.code, detail: demand.because, tls: false }
  }
  const opened = await openWith(hop, demand, { ...way, domain: asked.domain })
  const again = demand.kind === "opportunistic" && !(opened instanceof Session) && opened.tls && !way.signal.aborted
  return again ? openWith(hop, { kind: "plain" }, { ...way, domain: asked.domain }) : opened
}

async function demandOf(
  hop: Hop,
  { tls, foundSecurely, domain }: Asked,
  way: SignalledWay,
): Promise<Demand | NoDemand> {
  if (typeof tls !== "string") return { kind: "pinned", spkiSha256: tls.spkiSha256 }
  // A box's tunnel is TLS already, with a pinned key: what a certificate behind it says adds nothing.
  if (hop.kind === "box") return { kind: "opportunistic" }
  switch (tls) {
    case "opportunistic":
      return { kind: "opportunistic" }
    case "encrypt":
      return { kind: "encrypted" }
    case "verify":
      return { kind: "certified", by: "verify" }
    case "published":
    case "dane-only": {
      const only = tls === "dane-only" ? "dane" : undefined
      const unknown: NoDemand = { kind: "no-demand", code: "HOME_TLS_UNKNOWN", because: "the resolver is silent" }
      if (!way.published) return only ? unknown : { kind: "opportunistic" }
      return within(way.clock, RESOLVE_MS, way.published({ ...hop.to, foundSecurely, domain, only }), unknown)
    }
  }
}

function unnamedHost(hop: Hop, domain: Hostname, policy: StsPolicy, reason: string): TlsOutcome {
  const nobody = { sendingIp: undefined, receivingIp: undefined } // no connection was made
  const failure = { result: "validation-failure", host: hostOf(hop), ...nobody, reason } as const
  return { domain, policy: stsPolicyApplied(policy), failure }
}

async function openWith(
  hop: Hop,
  demand: Demand,
  way: SignalledWay & { readonly domain: Hostname },
): Promise<Session | NotOpened> {
  const connection = await dialled(hop, way)
  if ("code" in connection) return connection
  if (endsHere(connection, way.ownAddresses)) {
    connection.destroy()
    return { code: "NEXT_HOP_IS_US", detail: "the connection ends at this relay", tls: false }
  }
  const ends = endsOf(connection)
  let wrong: string | undefined
  const opened = await openSession(connection, {
    name: way.name,
    clock: way.clock,
    signal: way.signal,
    host: hopText(hop),
    peerName: hop.kind === "tcp" ? hop.to.host : undefined,
    tls: upgradeFor(demand),
    tlsOptions: tlsOptionsFor(demand, way.ca),
    unproven: (socket) => (wrong = unproven(demand, shownBy(socket), way.clock.now())),
    proof: proofOf(demand),
  })
  const policy = appliedPolicy(demand)
  if (policy && !way.signal.aborted)
    // what we broke off ourselves says nothing about anybody
    tellOutcome(opened, { domain: way.domain, policy, host: hostOf(hop), ...ends, wrong }, way)
  return opened
}

type Judged = Pick<TlsOutcome, "domain" | "policy"> & Pick<TlsFailure, "host" | "sendingIp" | "receivingIp">

/** What never came to STARTTLS says nothing about TLS. */
function tellOutcome(
  opened: Session | NotOpened,
  about: Judged & { readonly wrong: string | undefined },
  way: Way,
): void {
  const { domain, policy, wrong, ...place } = about
  if (opened instanceof Session) return way.judged?.({ domain, policy, failure: undefined })
  if (opened.code !== "HOME_TLS_FAILED") return
  const { refused = false, detail: reason } = opened
  const result = resultType({ refused, unproven: wrong !== undefined, reason })
  way.judged?.({ domain, policy, failure: { result, ...place, reason } })
}

function hostOf(hop: Hop): string {
  return hop.kind === "tcp" ? hop.to.host : hopText(hop)
}

function endsOf(connection: Duplex): Pick<TlsFailure, "sendingIp" | "receivingIp"> {
  const socket = connection instanceof Socket ? connection : undefined
  return { sendingIp: socket?.localAddress, receivingIp: socket?.remoteAddress }
}

async function dialled(
  hop: Hop,
  { dial, clock, connectDeadlineMs, signal }: SignalledWay,
): Promise<Duplex | NotOpened> {
  const attempt = new AbortController()
  const stop = (): void => attempt.abort(new Error("the relay is being stopped"))
  const forget = clock.after(connectDeadlineMs, () => attempt.abort(new Error("no connection in time")))
  signal.addEventListener("abort", stop)
  try {
    return await dial(hop, attempt.signal)
  } catch (error) {
    const why: unknown = attempt.signal.aborted ? attempt.signal.reason : error
    return { code: "HOME_AWAY", detail: printable(String(why)), tls: false }
  } finally {
    forget()
    signal.removeEventListener("abort", stop)
  }
}

/** Resolves to `otherwise` if `wanted` takes too long. */
export async function within<Value>(
  clock: Clock,
  delayMs: number,
  wanted: Promise<Value>,
  otherwise: Value,
): Promise<Value> {
  let forget = (): void => {}
  const late = new Promise<Value>((resolve) => {
    forget = clock.after(delayMs, () => resolve(otherwise))
  })
  try {
    return await Promise.race([wanted, late])
  } finally {
    forget()
  }
}
