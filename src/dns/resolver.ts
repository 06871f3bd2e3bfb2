/**
 * A stub resolver that knows whether an answer was validated. Node's own never shows the AD bit, and without it DANE
 * cannot be done (RFC 7672 §2.2). The bit is believed only from a resolver on this machine: on any other way to it,
 * somebody could set it (RFC 4035 §4.9.3).
 */
import { randomInt } from "node:crypto"
import { readFile } from "node:fs/promises"
import type { SocketAddress } from "../names/endpoint.ts"
import { cidr, contains, ipAddress, type Cidr, type IpAddress } from "../names/ip-address.ts"
import { exchangeDatagrams, exchangeOverTcp } from "../net/exchange.ts"
import { queryMessage, readAnswer, type DnsAnswer, type DnsRecord, type RecordType } from "./message.ts"

/** What asking came to. `bogus`: the resolver refuses because validation failed, or it cannot answer at all. */
export type Resolved =
  | { readonly kind: "records"; readonly records: readonly DnsRecord[]; readonly secure: boolean }
  /** The type does not exist, or, if `noSuchName`, the name (RFC 8020: and nothing below it). */
  | { readonly kind: "none"; readonly secure: boolean; readonly noSuchName: boolean }
  /** SERVFAIL, silence: defer, never fall back (RFC 7672 §2.1). `rcode`: what the last one that answered said. */
  | { readonly kind: "failed"; readonly because: string; readonly rcode?: number }

export type Resolver = {
  readonly servers: readonly SocketAddress[]
  /** None of them is believed when it says that it validated: not on this machine, and not declared to be trusted. */
  readonly disbelieved: boolean
  resolve(name: string, type: RecordType): Promise<Resolved>
}

/** Ours: twice this for each server, as resolv.conf(5) has it by default. */
const ANSWER_MS_MAX = 3_000
const TRIES_PER_SERVER = 2
const NO_SUCH_NAME = 3
/** RFC 1035 §4.1.1. */
const RCODES: Readonly<Record<number, string>> = { 1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED" }
/** RFC 1122 §3.2.1.3 and RFC 4291 §2.5.3: this machine. */
const LOOPBACK = ["127.0.0.0/8", "::1"].map(cidr).filter((range): range is Cidr => range !== undefined)

/**
 * `trusted`: the way to these servers is protected (a VPN, the machine's host), so that their AD bit is theirs.
 * `background`: nothing that is asked keeps the process alive.
 */
export function stubResolver(
  servers: readonly SocketAddress[],
  { trusted = false, background = false } = {},
): Resolver {
  const believed = ({ address }: SocketAddress): boolean => trusted || isLoopback(address)
  return {
    servers,
    disbelieved: !servers.some(believed),
    resolve: async (name, type) => {
      let because = "no name server is configured"
      let rcode: number | undefined
      for (const server of servers.flatMap((one) => Array<SocketAddress>(TRIES_PER_SERVER).fill(one))) {
        try {
          const answer = await ask({ server, background }, name, type)
          if (answer.rcode === 0 || answer.rcode === NO_SUCH_NAME) return resolved(answer, type, believed(server))
          rcode = answer.rcode
          because = `${server.address} answers with ${RCODES[rcode] ?? `error ${rcode}`}`
        } catch (error) {
          because = error instanceof Error ? error.message : String(error)
        }
      }
      return { kind: "failed", because, ...(rcode !== undefined && { rcode }) }
    },
  }
}

/** The name servers of resolv.conf(5); the one on this machine where the file names none. */
export async function systemNameServers(file = "/etc/resolv.conf"): Promise<readonly SocketAddress[]> {
  const text = await readFile(file, "utf8").catch(() => "")
  const named = [...text.matchAll(/^nameserver\s+(\S+)/gm)].map(([, address]) => ipAddress(address ?? ""))
  const known = named.filter((address) => address !== undefined)
  const own = ipAddress("127.0.0.1")
  return (known.length > 0 ? known : own ? [own] : []).map((address) => ({ address, port: 53 }))
}

type Asked = { readonly server: SocketAddress; readonly background: boolean }

async function ask({ server, background }: Asked, name: string, type: RecordType): Promise<DnsAnswer> {
  const id = randomInt(0x10000)
  const question = queryMessage(id, name, type)
  if (!question) throw new Error(`"${name}" cannot be asked for`)
  const isAnswer = (bytes: Uint8Array): DnsAnswer | undefined => {
    const answer = readAnswer(bytes, name, type)
    return answer?.id === id ? answer : undefined
  }
  const asked = { question, deadlineMs: ANSWER_MS_MAX, background }
  const answer = await exchangeDatagrams(server, asked, isAnswer)
  return answer.truncated ? exchangeOverTcp(server, asked, isAnswer) : answer
}

function resolved({ records, authentic, rcode }: DnsAnswer, type: RecordType, trusted: boolean): Resolved {
  const wanted = records.filter((record) => record.type === type)
  const secure = authentic && trusted
  if (wanted.length > 0) return { kind: "records", records: wanted, secure }
  return { kind: "none", secure, noSuchName: rcode === NO_SUCH_NAME }
}

function isLoopback(address: IpAddress): boolean {
  return LOOPBACK.some((range) => contains(range, address))
}
