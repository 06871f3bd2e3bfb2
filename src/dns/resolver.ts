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
  | { readonly kind: "none"; readonly secure: boolean } // the name or the type does not exist
  | { readonly kind: "failed"; readonly because: string } // SERVFAIL, silence: defer, never fall back (RFC 7672 §2.1)

export type Resolver = {
  readonly servers: readonly SocketAddress[]
  resolve(name: string, type: RecordType): Promise<Resolved>
}

/** Ours: twice this for each server, as resolv.conf(5) has it by default. */
const ANSWER_MS_MAX = 3_000
const TRIES_PER_SERVER = 2
const NO_SUCH_NAME = 3
/** RFC 1122 §3.2.1.3 and RFC 4291 §2.5.3: this machine. */
const LOOPBACK = ["127.0.0.0/8", "::1"].map(cidr).filter((range): range is Cidr => range !== undefined)

export function stubResolver(servers: readonly SocketAddress[]): Resolver {
  return {
    servers,
    resolve: async (name, type) => {
      let because = "no name server is configured"
      for (const server of servers.flatMap((one) => Array<SocketAddress>(TRIES_PER_SERVER).fill(one))) {
        try {
          const answer = await ask(server, name, type)
          if (answer.rcode === 0 || answer.rcode === NO_SUCH_NAME)
            return resolved(answer, type, isLoopback(server.address))
          because = `${server.address} answers with error ${answer.rcode}`
        } catch (error) {
          because = error instanceof Error ? error.message : String(error)
        }
      }
      return { kind: "failed", because }
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

async function ask(server: SocketAddress, name: string, type: RecordType): Promise<DnsAnswer> {
  const id = randomInt(0x10000)
  const question = queryMessage(id, name, type)
  if (!question) throw new Error(`"${name}" cannot be asked for`)
  const isAnswer = (bytes: Uint8Array): DnsAnswer | undefined => {
    const answer = readAnswer(bytes, name, type)
    return answer?.id === id ? answer : undefined
  }
  const answer = await exchangeDatagrams(server, question, ANSWER_MS_MAX, isAnswer)
  return answer.truncated ? exchangeOverTcp(server, question, ANSWER_MS_MAX, isAnswer) : answer
}

function resolved({ records, authentic }: DnsAnswer, type: RecordType, trusted: boolean): Resolved {
  const wanted = records.filter((record) => record.type === type)
  const secure = authentic && trusted
  return wanted.length > 0 ? { kind: "records", records: wanted, secure } : { kind: "none", secure }
}

function isLoopback(address: IpAddress): boolean {
  return LOOPBACK.some((range) => contains(range, address))
}
