/**
 * The boxes that are attached right now, each with its tunnel and its carriers. A friend may have two tunnels for a
 * moment, while the box changes over.
 */
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { value, type Parsed } from "../bytes/parsed.ts"
import type { FriendName } from "../route/route.ts"
import { readGreeting, type CarrierRefusal } from "../tunnel/carrier.ts"
import type { CarrierPool } from "../tunnel/carrier-pool.ts"
import type { RelayEnd } from "../tunnel/relay-end.ts"
import type { StreamRequest } from "../tunnel/wire.ts"

export type Attached = {
  add(friend: FriendName, box: RelayEnd, carriers: CarrierPool): void
  /** A stream on the friend's newest tunnel that takes one; `undefined` while the box is away. */
  open(friend: FriendName, request: StreamRequest): Duplex | undefined
  /** The newest tunnel of the friend's box that takes a stream; `undefined` while it is away. */
  box(friend: FriendName): RelayEnd | undefined
  /** A carrier of the friend's newest tunnel that was told of the connection, at once or soon; `undefined`: use a stream. */
  takeCarrier(friend: FriendName, request: StreamRequest): Promise<Socket | undefined>
  /** Reads a carrier's greeting; the value takes the connection in. */
  readonly greeted: (received: Uint8Array) => Parsed<(carrier: Socket) => void, CarrierRefusal>
  /** Shows a friend's box what its relay carries for it from here on; a box that refuses is cut off, as at the door. */
  showAgain(friend: FriendName, verdicts: string): void
  /** Has `drain` wait for this connection too. */
  carrying(ended: Promise<unknown>): void
  isHere(friend: FriendName): boolean
  /** These boxes were attached to the relay before this one: whoever asks for them waits a little. */
  expect(friends: readonly string[], late: Promise<void>): void
  /** Resolves when no box is expected any more. */
  settled(): Promise<unknown>
  /** Resolves when the friend's box is here or not expected any more; `undefined`: there is nothing to wait for. */
  awaited(friend: FriendName): Promise<void> | undefined
  /** Ends the tunnels of a friend whose key was revoked. */
  drop(friend: FriendName): void
  list(): readonly AttachedBox[]
  /** Asks every box to dial anew, and resolves when their streams and what carriers carry have ended. */
  drain(): Promise<void>
  close(): void
}

export type AttachedBox = {
  readonly friend: FriendName
  readonly streams: number
  readonly carriersReady: number
  readonly rttMs: number | undefined
}

type Tunnel = { readonly box: RelayEnd; readonly carriers: CarrierPool }

export function attachedBoxes(): Attached {
  const tunnels = new Map<FriendName, Tunnel[]>() // newest first; no friend without a tunnel
  const underWay = new Set<Promise<unknown>>()
  const expected = new Map<string, PromiseWithResolvers<void>>()
  let draining = false
  const expectNoMore = (friend: string) => {
    expected.get(friend)?.resolve()
    expected.delete(friend)
  }
  const forget = (friend: FriendName, tunnel: Tunnel) => {
    tunnel.carriers.close()
    const left = (tunnels.get(friend) ?? []).filter((other) => other !== tunnel)
    if (left.length > 0) tunnels.set(friend, left)
    else tunnels.delete(friend)
  }
  const newest = (friend: FriendName) =>
    draining ? undefined : tunnels.get(friend)?.find(({ box }) => box.takesStreams)?.box
  const all = () => [...tunnels].flatMap(([friend, some]) => some.map((tunnel) => ({ friend, ...tunnel })))
  return {
    add: (friend, box, carriers) => {
      const tunnel = { box, carriers }
      tunnels.set(friend, [tunnel, ...(tunnels.get(friend) ?? [])])
      void box.gone.then(() => forget(friend, tunnel))
      expectNoMore(friend)
    },
    expect: (friends, late) => {
      for (const friend of friends) expected.set(friend, Promise.withResolvers())
      void late.then(() => friends.forEach(expectNoMore))
    },
    settled: () => Promise.all([...expected.values()].map(({ promise }) => promise)),
    awaited: (friend) => expected.get(friend)?.promise,
    open: (friend, request) => newest(friend)?.open(request),
    box: (friend) => newest(friend),
    takeCarrier: async (friend, request) => tunnels.get(friend)?.[0]?.carriers.take(request),
    greeted: (received) => {
      let owner: CarrierPool | undefined
      const read = readGreeting(received, (id) => {
        for (const { carriers } of all()) {
          const ticket = carriers.redeem(id)
          if (!ticket) continue
          owner = carriers
          return ticket
        }
        return undefined
      })
      if (read.kind !== "value") return read
      return value((carrier) => owner?.ready(carrier, read.value), read.consumedBytes)
    },
    carrying: (ended) => {
      underWay.add(ended)
      void ended.finally(() => underWay.delete(ended))
    },
    showAgain: (friend, verdicts) => {
      for (const { box } of tunnels.get(friend) ?? []) {
        const refused = () => box.close()
        box.show(verdicts).then((accepted) => accepted || refused(), refused)
      }
    },
    isHere: (friend) => tunnels.has(friend),
    drop: (friend) => {
      for (const { box } of tunnels.get(friend) ?? []) box.close()
    },
    list: () =>
      all().map(({ friend, box, carriers }) => ({
        friend,
        streams: box.streams,
        carriersReady: carriers.readyCount,
        rttMs: box.rttMs(),
      })),
    drain: async () => {
      draining = true
      await Promise.all([...all().map(({ box }) => box.drain()), ...underWay])
    },
    close: () => {
      for (const { box } of all()) box.close()
    },
  }
}
