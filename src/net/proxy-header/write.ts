/** Writes the PROXY header that a backend is sent before anything else. */
import { isIpv6, ipAddressBytes, ipv6Bytes } from "../../names/ip-address.ts"
import type { SocketAddress } from "../../names/endpoint.ts"
import type { Hostname } from "../../names/hostname.ts"
import { COMMAND_PROXY, FIXED_BYTES, TCP4, TCP6, V2_SIGNATURE } from "./read-v2.ts"
import { TLV_ALPN, TLV_AUTHORITY } from "./tlvs.ts"

/** What a backend may learn about a connection. */
export type Proxied = {
  readonly remote: SocketAddress
  readonly local: SocketAddress
  /** The name in the ClientHello. Version 2 only. */
  readonly serverName?: Hostname | undefined
  /** The application protocol, where it is certain (one was offered); bytes as Latin-1. Version 2 only. */
  readonly alpn?: string | undefined
}

/**
 * Ours: what we send in all, TLVs included. It is the largest header without TLVs (16 bytes and two UNIX paths), which
 * receivers with a fixed buffer can hold; nginx, Varnish and Apache refuse much longer ones. A TLV that would not fit
 * is left out.
 */
export const PROXY_SENT_BYTES_MAX = 232

export function writeProxyHeader(version: "v1" | "v2", proxied: Proxied): Uint8Array {
  return version === "v1" ? writeV1(proxied) : writeV2(proxied)
}

function writeV1({ remote, local }: Proxied): Uint8Array {
  const six = needsIpv6(remote, local)
  const text = ({ address }: SocketAddress) => (six && !isIpv6(address) ? `::ffff:${address}` : address)
  return Buffer.from(`PROXY TCP${six ? 6 : 4} ${text(remote)} ${text(local)} ${remote.port} ${local.port}\r\n`)
}

function writeV2({ remote, local, serverName, alpn }: Proxied): Uint8Array {
  const six = needsIpv6(remote, local)
  const bytes = six ? ipv6Bytes : ipAddressBytes
  const ends = [bytes(remote.address), bytes(local.address), u16(remote.port), u16(local.port)]
  const roomBytes = PROXY_SENT_BYTES_MAX - FIXED_BYTES - Buffer.concat(ends).length
  const block = Buffer.concat([...ends, ...fitting([tlv(TLV_ALPN, alpn), tlv(TLV_AUTHORITY, serverName)], roomBytes)])
  return Buffer.concat([V2_SIGNATURE, Uint8Array.of(COMMAND_PROXY, six ? TCP6 : TCP4), u16(block.length), block])
}

/** Two ends of different families (the visitor came through somebody's tunnel) are both written as IPv6. */
function needsIpv6(remote: SocketAddress, local: SocketAddress): boolean {
  return isIpv6(remote.address) || isIpv6(local.address)
}

function tlv(type: number, text: string | undefined): Uint8Array {
  if (!text) return new Uint8Array()
  const value = Buffer.from(text, "latin1")
  return Buffer.concat([Uint8Array.of(type), u16(value.length), value])
}

function fitting(tlvs: readonly Uint8Array[], roomBytes: number): readonly Uint8Array[] {
  let leftBytes = roomBytes
  const chosen: Uint8Array[] = []
  for (const each of tlvs) {
    if (each.length > leftBytes) continue
    leftBytes -= each.length
    chosen.push(each)
  }
  return chosen
}

function u16(number: number): Uint8Array {
  return Uint8Array.of(number >> 8, number & 0xff)
}
