/**
 * The one way in which the box asks its home router for a mapping: a port of the public address that leads to a port of
 * this machine. Behind it are three protocols; the first that the router speaks is used. Only our own router is asked.
 */
import { randomBytes } from "node:crypto"
import type { ParsedWhole } from "../bytes/parsed.ts"
import type { Port, SocketAddress } from "../names/endpoint.ts"
import { exchangeDatagrams } from "../net/exchange.ts"
import { smallPage } from "../net/small-page.ts"
import type { HomeRouter } from "./home-router.ts"
import {
  IGD_PAGE_BYTES_MAX,
  readDescription,
  readExternalAddress,
  readRefusal,
  readSearch,
  SSDP_PORT,
  writeAction,
  writeAddMapping,
  writeDeleteMapping,
  writeSearch,
  type Control,
  type IgdAction,
} from "./igd.ts"
import { readNatPmp, writeAddressRequest, writeMapRequest, type NatPmpAnswer } from "./nat-pmp.ts"
import { PCP_NONCE_BYTES, readPcpMap, writePcpMap } from "./pcp.ts"

/** RFC 6886 §3 and RFC 6887 §19: both protocols listen there. */
const ROUTER_PORT = 5351
/** RFC 6886 §3.3 recommends 7,200 s; ours is shorter, so that a box that died leaves no door open for long. */
export const MAPPING_SECONDS = 3_600
/** RFC 6886 §3.1: 250 ms, doubled each time. Ours: on a home network, what has not come after four tries will not. */
const TRIES_MS = [250, 500, 1_000, 2_000] as const
/** Ours: routers are slow computers. */
const PAGE_MS_MAX = 5_000
/** Ours: how long the end of the box waits for a router that has gone; its mapping ends with its lifetime. */
const REMOVAL_MS_MAX = 2_000

/** The port that leads here, and the port at which the world should find it. */
export type Wish = { readonly internalPort: Port; readonly externalPort: Port }

export type Mapping = {
  readonly by: "PCP" | "NAT-PMP" | "UPnP"
  /** What the router gave; the port may be another one than was wished for. */
  readonly external: SocketAddress
  readonly lifetimeSeconds: number
  /** Takes the mapping away again; never rejects, because a router that is gone has none. */
  readonly remove: () => Promise<void>
}

/** Rejects with every protocol's reason, and at once when `signal` fires. */
export async function mapPort(home: HomeRouter, wish: Wish, signal: AbortSignal): Promise<Mapping> {
  const reasons: string[] = []
  for (const [name, map] of [
    ["PCP", byPcp],
    ["NAT-PMP", byNatPmp],
    ["UPnP", byUpnp],
  ] as const) {
    try {
      return await map(home, wish, signal)
    } catch (error) {
      reasons.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw new Error(reasons.join("; "))
}

async function byPcp({ router, own }: HomeRouter, wish: Wish, signal: AbortSignal): Promise<Mapping> {
  const nonce = randomBytes(PCP_NONCE_BYTES)
  const ask = (lifetimeSeconds: number, until: AbortSignal) =>
    askRouter(router, { question: writePcpMap({ nonce, client: own, ...wish, lifetimeSeconds }), until }, (bytes) => {
      const read = readPcpMap(bytes)
      return read.kind === "value" && !nonce.equals(read.value.nonce) ? undefined : read
    })
  const { external, lifetimeSeconds } = await ask(MAPPING_SECONDS, signal)
  return { by: "PCP", external, lifetimeSeconds, remove: () => quietly(ask(0, removal())) }
}

async function byNatPmp(
  { router }: HomeRouter,
  { internalPort, externalPort }: Wish,
  signal: AbortSignal,
): Promise<Mapping> {
  const ask = <Kind extends NatPmpAnswer["kind"]>(kind: Kind, question: Uint8Array, until: AbortSignal) =>
    askRouter(router, { question, until }, (bytes) => {
      const read = readNatPmp(bytes)
      return read.kind === "value" && !isOf(kind, read.value) ? undefined : (read as Answered<Kind>) // looked at just now
    })
  const { address } = await ask("address", writeAddressRequest(), signal)
  const mapped = await ask("mapped", writeMapRequest(internalPort, externalPort, MAPPING_SECONDS), signal)
  const remove = () => quietly(ask("mapped", writeMapRequest(internalPort, 0, 0), removal()))
  const external = { address, port: mapped.externalPort }
  return { by: "NAT-PMP", external, lifetimeSeconds: mapped.lifetimeSeconds, remove }
}

type Answered<Kind> = ParsedWhole<Extract<NatPmpAnswer, { readonly kind: Kind }>, string>

function isOf(kind: NatPmpAnswer["kind"], answer: NatPmpAnswer): boolean {
  return answer.kind === kind
}

async function byUpnp(
  { router, own }: HomeRouter,
  { internalPort, externalPort }: Wish,
  signal: AbortSignal,
): Promise<Mapping> {
  const at = { address: router, port: SSDP_PORT }
  const described = await askAt(at, { question: writeSearch(at), until: signal }, (bytes) => readSearch(bytes, router))
  const description = await smallPage(described.at, { method: "GET", path: described.path, ...BOUNDS, signal })
  const control = valueOf(readDescription(description.body, described))
  const external = readExternalAddress(await act(control, "GetExternalIPAddress", [], signal))
  if (!external) throw new Error("it has no public address itself")
  const remove = () => quietly(act(control, "DeletePortMapping", writeDeleteMapping(externalPort), removal()))
  const internal = { address: own, port: internalPort }
  const wanted = writeAddMapping({ internal, externalPort, lifetimeSeconds: MAPPING_SECONDS })
  await act(control, "AddPortMapping", wanted, signal)
  return { by: "UPnP", external: { address: external, port: externalPort }, lifetimeSeconds: MAPPING_SECONDS, remove }
}

const BOUNDS = { deadlineMs: PAGE_MS_MAX, bytesMax: IGD_PAGE_BYTES_MAX } as const

async function act(
  { page, service }: Control,
  action: IgdAction,
  given: Parameters<typeof writeAction>[2],
  signal: AbortSignal,
): Promise<string> {
  const headers = { "content-type": 'text/xml; charset="utf-8"', soapaction: `"${service}#${action}"` }
  const body = writeAction(service, action, given)
  const answer = await smallPage(page.at, { method: "POST", path: page.path, headers, body, ...BOUNDS, signal })
  const refusal = readRefusal(answer.status, answer.body)
  if (refusal !== undefined) throw new Error(refusal)
  return answer.body
}

type Read<Value> = ParsedWhole<Value, string>

type Asked = { readonly question: Uint8Array; readonly until: AbortSignal }

function askRouter<Value>(
  router: HomeRouter["router"],
  asked: Asked,
  read: (bytes: Uint8Array) => Read<Value> | undefined,
): Promise<Value> {
  return askAt({ address: router, port: ROUTER_PORT }, asked, read)
}

/** Asks again as RFC 6886 §3.1 says; rejects with what the router refuses, or with its silence. */
async function askAt<Value>(
  at: SocketAddress,
  { question, until: signal }: Asked,
  read: (bytes: Uint8Array) => Read<Value> | undefined,
): Promise<Value> {
  let silence: unknown
  for (const deadlineMs of TRIES_MS) {
    try {
      return valueOf(await exchangeDatagrams(at, { question, deadlineMs, background: true, signal }, read))
    } catch (error) {
      if (error instanceof Refusal || signal.aborted) throw error
      silence = error
    }
  }
  throw silence
}

class Refusal extends Error {}

function valueOf<Value>(read: Read<Value>): Value {
  if (read.kind === "refused") throw new Refusal(read.why)
  return read.value
}

function removal(): AbortSignal {
  return AbortSignal.timeout(REMOVAL_MS_MAX)
}

async function quietly(done: Promise<unknown>): Promise<void> {
  await done.catch(() => {})
}
