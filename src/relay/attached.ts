/** The boxes that are attached right now. A friend may have two tunnels for a moment, while the box changes over. */
import type { Duplex } from "node:stream"
import type { FriendName } from "../route/route.ts"
import type { RelayEnd } from "../tunnel/relay-end.ts"
import type { StreamRequest } from "../tunnel/wire.ts"

export type Attached = {
  add(friend: FriendName, box: RelayEnd): void
  /** A stream on the friend's newest tunnel; `undefined` while the box is away. */
  open(friend: FriendName, request: StreamRequest): Duplex | undefined
  isHere(friend: FriendName): boolean
  /** Ends the tunnels of a friend whose key was revoked. */
  drop(friend: FriendName): void
  list(): readonly AttachedBox[]
  /** Asks every box to dial anew, and resolves when their streams have ended. */
  drain(): Promise<void>
  close(): void
}

export type AttachedBox = { readonly friend: FriendName; readonly streams: number; readonly rttMs: number | undefined }

export function attachedBoxes(): Attached {
  const tunnels = new Map<FriendName, RelayEnd[]>() // newest first; no friend without a tunnel
  const forget = (friend: FriendName, box: RelayEnd) => {
    const left = (tunnels.get(friend) ?? []).filter((other) => other !== box)
    if (left.length > 0) tunnels.set(friend, left)
    else tunnels.delete(friend)
  }
  const all = () => [...tunnels].flatMap(([friend, boxes]) => boxes.map((box) => ({ friend, box })))
  return {
    add: (friend, box) => {
      tunnels.set(friend, [box, ...(tunnels.get(friend) ?? [])])
      void box.gone.then(() => forget(friend, box))
    },
    open: (friend, request) => tunnels.get(friend)?.[0]?.open(request),
    isHere: (friend) => tunnels.has(friend),
    drop: (friend) => {
      for (const box of tunnels.get(friend) ?? []) box.close()
    },
    list: () => all().map(({ friend, box }) => ({ friend, streams: box.streams, rttMs: box.rttMs() })),
    drain: async () => {
      await Promise.all(all().map(({ box }) => box.drain()))
    },
    close: () => {
      for (const { box } of all()) box.close()
    },
  }
}
