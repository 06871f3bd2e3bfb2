/** Builds PROXY headers, right and wrong ones, from the parts of haproxy doc/proxy-protocol.txt §2.2. */
import { block, bytes } from "./hello.ts"

export const SIGNATURE = bytes("0d0a0d0a000d0a515549540a")

/** 192.0.2.1:56324 to 198.51.100.1:443. */
export const FOUR = bytes("c0000201 c6336401 dc04 01bb")
/** [2001:db8::1]:56324 to [2001:db8::2]:443. */
export const SIX = bytes("20010db8000000000000000000000001 20010db8000000000000000000000002 dc04 01bb")

/** A version 2 header; what follows the length is `content`. */
export function v2(versionAndCommand: number, familyAndTransport: number, ...content: readonly Buffer[]): Buffer {
  return Buffer.concat([SIGNATURE, Buffer.of(versionAndCommand, familyAndTransport), block(2, ...content)])
}

export function tlv(type: number, ...value: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.of(type), block(2, ...value)])
}
