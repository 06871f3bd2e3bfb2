/** The relay's side of its friends' boxes: lets them in, keeps their tunnels, and carries visitors to their services. */
import { randomBytes } from "node:crypto"
import type { Socket } from "node:net"
import type { Clock } from "../clock/clock.ts"
import type { Log } from "../log/log.ts"
import type { Engine } from "../net/engine.ts"
import type { Meter } from "../net/meter.ts"
import { endsTlsAtTheBox, routeName, type FriendName, type Route } from "../route/route.ts"
import { boxesIn } from "../store/boxes.ts"
import { ticket } from "../tunnel/carrier.ts"
import { carrierPool } from "../tunnel/carrier-pool.ts"
import { tunnelDoor } from "../tunnel/door.ts"
import { secretDigest } from "../tunnel/invitation.ts"
import type { RelayEnd } from "../tunnel/relay-end.ts"
import type { Attached } from "./attached.ts"
import { answerReach } from "./dial-back.ts"
import type { QueueDesk } from "./queue-desk.ts"
import { lastWords } from "./last-words.ts"
import { openSealed, openService } from "./reach.ts"
import { tellSenders } from "./tell-senders.ts"
import { endWhenRevoked } from "./revocation.ts"
import type { HandedOver } from "./passthrough.ts"

export type BoxesOptions = {
  readonly stateFolder: string
  /** The relay's own, PEM. */
  readonly tls: { readonly key: string; readonly cert: string }
  readonly attached: Attached
  /** What a friend's box is shown when it attaches (docs/tunnel-protocol.md §2). */
  readonly shown: (friend: FriendName) => object
  /** How senders have come to the ports that he shares. */
  readonly senders: (friend: FriendName) => object
  readonly idleDeadlineMs: () => number
  /** What counts a friend's connections, and may hold them back. */
  readonly meterOf: (friend: FriendName) => Meter | undefined
  /** A friend's box has attached: what waited for it can go, and it may ask. */
  readonly came: (friend: FriendName, box: RelayEnd) => void
  /** Where friends look after their mail. */
  readonly desk: Pick<QueueDesk, "accept">
  readonly clock: Clock
  readonly log: Log
}

export type RouteHome = Route & { readonly to: Extract<Route["to"], { readonly kind: "box" }> }

export type Boxes = {
  readonly attached: Attached
  /** A connection to a tunnel listener. */
  acceptTunnel(socket: Socket): void
  /** A visitor whose route leads to a box; `splice` moves the bytes. */
  carry(socket: Socket, route: RouteHome, visitor: HandedOver, splice: Engine["splice"]): void
}

export function boxes(options: BoxesOptions): Boxes {
  const { clock, log, attached } = options
  const known = boxesIn(options.stateFolder)
  const door = tunnelDoor({
    ...options.tls,
    friendOf: (pin) => known.friendOf(pin),
    redeem: (secret, pin) => known.redeem(secretDigest(secret), pin, clock.now()),
    verdictsFor: (friend) => JSON.stringify(options.shown(friend)),
    attached: (friend, box) => {
      log.info("box attached", { friend })
      attached.add(
        friend,
        box,
        carrierPool({ offer: (some) => box.offer(some), newTicket: () => ticket(randomBytes), clock }),
      )
      endWhenRevoked(box, async () => (await known.friendOf(box.pin)) !== friend, clock)
      void answerReach(box, clock, log)
      tellSenders(box, () => JSON.stringify(options.senders(friend)), clock)
      options.came(friend, box)
    },
    desk: (tls, friend) => options.desk.accept(tls, friend),
    clock,
    log,
  })
  const carryHome = async (socket: Socket, route: RouteHome, visitor: HandedOver, splice: Engine["splice"]) => {
    await attached.awaited(route.friend)
    const open = endsTlsAtTheBox(route) ? openSealed : openService
    const home = await open(attached, route.friend, route.to.service, visitor)
    if (!home) {
      log.info("refused", { route: routeName(route), code: "BOX_AWAY", detail: "the friend's box is not attached" })
      socket.on("error", () => {}) // whoever was refused may go as they like
      return void socket.end(lastWords(visitor.protocol, "BOX_AWAY"))
    }
    if (socket.destroyed) return void home.destroy() // while it waited for a carrier
    const [idleDeadlineMs, meter] = [options.idleDeadlineMs(), options.meterOf(route.friend)]
    await splice(socket, home, { idleDeadlineMs, meter })
  }
  return {
    attached,
    acceptTunnel: (socket) => door.accept(socket),
    carry: (...visit) => attached.carrying(carryHome(...visit)),
  }
}
