/** All services of a box that may be reached without a relay: none is opened, and no router is asked, unless its owner lists one. */
import type { Clock } from "../clock/clock.ts"
import type { BoxService } from "../config/box-config.ts"
import type { Log } from "../log/log.ts"
import type { Engine } from "../net/engine.ts"
import { homeRouter } from "../portmap/home-router.ts"
import { mapPort } from "../portmap/port-mapper.ts"
import { keepDirect, type Asker, type Direct, type DirectStatus } from "./direct.ts"
import { openDirectDoor } from "./direct-door.ts"

type Parts = {
  readonly engine: Engine
  readonly askers: () => readonly Asker[]
  readonly clock: Clock
  readonly log: Log
  readonly changed?: () => void
}

export type DirectServices = {
  status(): readonly DirectStatus[]
  /** Asks the relays again: one more of them is attached. */
  look(): void
  stop(): Promise<void>
}

export function directServices(services: ReadonlyMap<string, BoxService>, parts: Parts): DirectServices {
  const { engine, askers, clock, log, changed = () => {} } = parts
  const listed = [...services].flatMap(([name, service]) =>
    service.direct === undefined ? [] : [{ name, service, port: service.direct }],
  )
  const kept = new Map<string, Direct>()
  const failed = new Map<string, string>()
  const opening = listed.map(async ({ name, service, port }) => {
    try {
      const home = await homeRouter()
      const openDoor = (wished: Parameters<typeof openDirectDoor>[0]) =>
        openDirectDoor(wished, { name, service, engine, log })
      const map: Parameters<typeof keepDirect>[0]["map"] = (wish, signal) => mapPort(home, wish, signal)
      kept.set(name, await keepDirect({ service: name, port, own: home.own, openDoor, map, askers, clock, changed }))
    } catch (error) {
      failed.set(name, error instanceof Error ? error.message : String(error))
    }
    changed()
  })
  const statusOf = ({ name: service, port }: { readonly name: string; readonly port: number }): DirectStatus => {
    const because = failed.get(service)
    const known = kept.get(service)?.status()
    return known ?? { service, port, state: because === undefined ? { at: "asking" } : { at: "not-possible", because } }
  }
  return {
    status: () => listed.map(statusOf),
    look: () => {
      for (const direct of kept.values()) direct.look()
    },
    stop: async () => {
      await Promise.all(opening)
      await Promise.all([...kept.values()].map((direct) => direct.stop()))
    },
  }
}
