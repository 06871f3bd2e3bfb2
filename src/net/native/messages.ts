/**
 * What the native engine and TypeScript tell each other, in batches of records: the other side of native/messages.h,
 * which describes the layout. Both ends are one process, so numbers are in the order of this machine; every machine
 * that Node runs Linux on is little-endian or is not supported here.
 */
import { ipAddressOf, ipv6Bytes, type IpAddress } from "../../names/ip-address.ts"
import type { SocketAddress } from "../../names/endpoint.ts"
import type { Carry, EndedHow } from "../engine.ts"

export const EVENT = { asked: 1, ended: 2, adopted: 3, stopped: 4, drained: 5, gone: 6, full: 7, closed: 8 } as const
export const COMMAND = {
  wait: 1,
  carry: 2,
  answer: 3,
  reset: 4,
  adopt: 5,
  cancel: 6,
  stop: 8,
  drain: 9,
  close: 10,
  splice: 11,
} as const

/** LISTENER_OF_SPLICED of messages.h: whose connections did not come in at a listener. */
export const LISTENER_OF_SPLICED = 1023

/** `enum how` of messages.h. */
export const ENDED_HOW = [
  "both-finished",
  "visitor-reset",
  "backend-reset",
  "idle",
  "connect-failed",
  "connect-timeout",
  "undecided",
  "answered",
  "reset-by-us",
  "cancelled",
] as const satisfies readonly EndedHow[]

/** Ours: room for a few hundred first messages; one event has at most 64 KB and its head (RECEIVED_BYTES_MAX in deciding.c). */
export const EXCHANGE_BYTES = 256 * 1024
/** Thread in the upper bits, slot in the lower ones. */
export const SLOT_BITS = 24

/** Which connection a command means. The slot is used again, with another generation. */
export type ConnectionId = { readonly connection: number; readonly generation: number }

/** The record that is being looked at: the same object for all of a batch, so nothing of it may be kept. */
export class Events {
  readonly exchange: Uint8Array = new Uint8Array(EXCHANGE_BYTES)
  readonly #view = new DataView(this.exchange.buffer)
  #at = 0

  /** Calls `look` for each record; this object then describes it. */
  each(bytes: number, look: () => void): void {
    for (let next = 0; next < bytes;) {
      this.#at = next
      next += this.#u32(0)
      look()
    }
  }

  get kind(): number {
    return this.#u8(4)
  }
  get listener(): number {
    return this.#view.getUint16(this.#at + 6, true)
  }
  get connection(): number {
    return this.#u32(8)
  }
  get generation(): number {
    return this.#u32(12)
  }
  get remote(): SocketAddress {
    return this.#address(16)
  }
  get local(): SocketAddress {
    return this.#address(34)
  }
  /** Asked: the visitor will send nothing more. */
  get finished(): boolean {
    return this.#u8(5) !== 0
  }
  /** Asked: everything read so far. A view. */
  get received(): Uint8Array {
    return this.#rest(52)
  }
  get how(): EndedHow {
    return ENDED_HOW[this.#u8(5)] ?? "cancelled"
  }
  get bytesToBackend(): number {
    return this.#number(52)
  }
  get bytesToVisitor(): number {
    return this.#number(60)
  }
  get endedAfterMs(): number {
    return this.#number(68)
  }
  /** Ended: what `Commands.splice` marked it with. */
  get mark(): number {
    return this.#u32(76)
  }
  get adoptedAfterMs(): number {
    return this.#number(52)
  }
  get descriptor(): number {
    return this.#u32(60)
  }
  /** Adopted: what was read already. A view. */
  get unread(): Uint8Array {
    return this.#rest(64)
  }
  /** Full: how many visitors found no descriptor. */
  get turnedAway(): number {
    return this.#u32(16)
  }

  #u8(offset: number): number {
    return this.#view.getUint8(this.#at + offset)
  }
  #u32(offset: number): number {
    return this.#view.getUint32(this.#at + offset, true)
  }
  #number(offset: number): number {
    return this.#view.getFloat64(this.#at + offset, true)
  }
  #rest(offset: number): Uint8Array {
    return this.exchange.subarray(this.#at + offset, this.#at + this.#u32(0))
  }
  #address(offset: number): SocketAddress {
    return { address: this.#ip(this.#at + offset), port: this.#view.getUint16(this.#at + offset + 16, false) }
  }

  #ip(at: number): IpAddress {
    const view = this.#view
    const isV4 = view.getUint32(at) === 0 && view.getUint32(at + 4) === 0 && view.getUint32(at + 8) === 0xffff
    if (!isV4) return ipAddressOf(this.exchange.subarray(at, at + 16))
    const number = view.getUint32(at + 12)
    const known = this.#recent.get(number)
    if (known !== undefined) return known
    const address = ipAddressOf(this.exchange.subarray(at + 12, at + 16))
    if (this.#recent.size >= RECENT_MAX) this.#recent.clear()
    this.#recent.set(number, address)
    return address
  }
  /** IPv4 addresses by their number: making the text costs more than all else about an event. */
  readonly #recent = new Map<number, IpAddress>()
}

/** Ours: remembered addresses. */
const RECENT_MAX = 4096
const HEAD_BYTES = 16
const CARRY_BYTES = 40
const SPLICE_BYTES = 40
const ADDRESS_BYTES = 18
const BATCH_BYTES_MIN = 64 * 1024
const U32_MAX = 0xffff_ffff

/** Two descriptors, which the engine closes, and what was read from either and is not delivered yet. */
export type SpliceOrder = {
  readonly visitor: number
  readonly backend: number
  readonly idleDeadlineMs: number
  readonly mark: number
  readonly forBackend: Uint8Array
  readonly forVisitor: Uint8Array
  /** Its index, if it has one. */
  readonly meter: number | undefined
}

/** Commands written one behind the other, until they are posted as one batch. */
export class Commands {
  #bytes = new Uint8Array(BATCH_BYTES_MIN)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  get isEmpty(): boolean {
    return this.#length === 0
  }

  /** Gives the batch to `post` and begins a new one. */
  flush(post: (commands: Uint8Array, bytes: number) => void): void {
    const length = this.#length
    this.#length = 0
    if (length > 0) post(this.#bytes, length)
  }

  /** A command that is nothing but its head. */
  about(kind: number, id: ConnectionId, listener = 0): void {
    this.#begin(kind, id, HEAD_BYTES, listener)
  }

  answer(id: ConnectionId, bytes: Uint8Array): void {
    const at = this.#begin(COMMAND.answer, id, HEAD_BYTES + bytes.length)
    this.#bytes.set(bytes, at + 16)
  }

  adopt(id: ConnectionId, skipBytes: number): void {
    const at = this.#begin(COMMAND.adopt, id, HEAD_BYTES + 4)
    this.#view.setUint32(at + 16, skipBytes, true)
  }

  /** `meter`: its index, if it has one. */
  carry(id: ConnectionId, carry: Carry, meter?: number): void {
    const { to, prefix, onConnectFailure } = carry
    const length = CARRY_BYTES + to.length * ADDRESS_BYTES + onConnectFailure.length + prefix.length
    const at = this.#begin(COMMAND.carry, id, length)
    this.#view.setUint32(at + 16, carry.skipBytes, true)
    this.#view.setUint32(at + 20, milliseconds(carry.connectDeadlineMs), true)
    this.#view.setUint32(at + 24, milliseconds(carry.idleDeadlineMs), true)
    this.#view.setUint32(at + 28, to.length, true)
    this.#view.setUint32(at + 32, onConnectFailure.length, true)
    this.#view.setUint32(at + 36, meter === undefined ? 0 : meter + 1, true)
    let next = at + CARRY_BYTES
    for (const address of to) {
      this.#bytes.set(ipBytes(address.address), next)
      this.#view.setUint16(next + 16, address.port, false)
      next += ADDRESS_BYTES
    }
    this.#bytes.set(onConnectFailure, next)
    if (prefix.length > 0) this.#bytes.set(prefix, next + onConnectFailure.length)
  }

  splice(thread: number, { visitor, backend, idleDeadlineMs, mark, forBackend, forVisitor, meter }: SpliceOrder): void {
    const length = SPLICE_BYTES + forBackend.length + forVisitor.length
    const at = this.#begin(COMMAND.splice, { connection: thread * 2 ** SLOT_BITS, generation: 0 }, length)
    this.#view.setUint32(at + 16, visitor, true)
    this.#view.setUint32(at + 20, backend, true)
    this.#view.setUint32(at + 24, milliseconds(idleDeadlineMs), true)
    this.#view.setUint32(at + 28, mark, true)
    this.#view.setUint32(at + 32, forBackend.length, true)
    this.#view.setUint32(at + 36, meter === undefined ? 0 : meter + 1, true)
    this.#bytes.set(forBackend, at + SPLICE_BYTES)
    this.#bytes.set(forVisitor, at + SPLICE_BYTES + forBackend.length)
  }

  #begin(kind: number, { connection, generation }: ConnectionId, length: number, listener = 0): number {
    const at = this.#length
    if (at + length > this.#bytes.length) this.#grow(at + length)
    this.#length = at + length
    this.#view.setUint32(at, length, true)
    this.#view.setUint8(at + 4, kind)
    this.#view.setUint8(at + 5, 0)
    this.#view.setUint16(at + 6, listener, true)
    this.#view.setUint32(at + 8, connection, true)
    this.#view.setUint32(at + 12, generation, true)
    return at
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length))
    larger.set(this.#bytes)
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}

/** As native/address.h has it: 16 bytes of IPv6 address, port in network order. */
export function addressBytes({ address, port }: SocketAddress): Uint8Array {
  const bytes = new Uint8Array(ADDRESS_BYTES)
  bytes.set(ipBytes(address))
  bytes[16] = port >> 8
  bytes[17] = port & 0xff
  return bytes
}

/** The same few backends are written again and again; reading their text costs more than all else about a command. */
const recentBytes = new Map<IpAddress, Uint8Array>()

function ipBytes(address: IpAddress): Uint8Array {
  const known = recentBytes.get(address)
  if (known) return known
  const bytes = ipv6Bytes(address)
  if (recentBytes.size >= RECENT_MAX) recentBytes.clear()
  recentBytes.set(address, bytes)
  return bytes
}

/** A duration as the engine takes it: whole, and at most 49 days. */
export function milliseconds(duration: number): number {
  return Math.min(Math.ceil(duration), U32_MAX)
}
