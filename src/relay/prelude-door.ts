/**
 * The door of a port that many friends share because their protocol begins in the clear: lets visitors in, or says at
 * once that nobody is at home. Whoever comes in is led by prelude-visit.ts.
 */
import { randomUUID } from "node:crypto"
import type { Socket } from "node:net"
import { STARTTLS_PROTOCOLS } from "../prelude/preludes.ts"
import type { StartTls } from "../route/route.ts"
import type { HandedOver } from "./passthrough.ts"
import type { PreludeOptions } from "./prelude-options.ts"
import { PreludeVisit } from "./prelude-visit.ts"

export type PreludeDoor = { accept(socket: Socket, visitor: HandedOver, protocol: StartTls): void }

export function preludeDoor(options: PreludeOptions): PreludeDoor {
  return {
    accept: (socket, visitor, protocol) => {
      const away = options.nobodyHome(visitor.listener)
      if (away === undefined) return new PreludeVisit(socket, { visitor, protocol }, options).begin()
      options.accounts.count(visitor.listener, undefined, "not-heard", "refused")
      socket.on("error", () => {}) // whoever was refused may go as they like
      socket.end(STARTTLS_PROTOCOLS[protocol].farewell(away, randomUUID()))
    },
  }
}
