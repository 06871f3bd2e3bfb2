/** A listener of an engine under test, with what it reported. */
import type { Carry, Decide, Ended, Engine, ListenOptions, OpenListener } from "../../src/net/engine.ts"
import type { SocketAddress } from "../../src/names/endpoint.ts"
import { eventually } from "./eventually.ts"
import { LOOPBACK } from "./loopback.ts"

export type Door = OpenListener & {
  readonly reports: readonly Ended[]
  /** The report that comes as number `index`, from 0. */
  reported(index?: number): Promise<Ended>
}

export async function door(engine: Engine, decide: Decide, options: Partial<ListenOptions> = {}): Promise<Door> {
  const reports: Ended[] = []
  const ended = (report: Ended): void => void reports.push(report)
  const defaults = { name: "test", bind: LOOPBACK, ask: "bytes", decideDeadlineMs: 10_000, ended } as const
  const listener = await engine.listen({ ...defaults, ...options }, decide)
  return {
    bound: listener.bound,
    descriptors: listener.descriptors,
    stop: () => listener.stop(),
    drained: () => listener.drained(),
    reports,
    reported: (index = 0) => eventually(`report ${index}`, () => reports[index]),
  }
}

const NOTHING = new Uint8Array(0)

export function carry(to: SocketAddress | Carry["to"], options: Partial<Carry> = {}): Carry {
  return {
    do: "carry",
    to: "port" in to ? [to] : to,
    prefix: NOTHING,
    skipBytes: 0,
    connectDeadlineMs: 10_000,
    idleDeadlineMs: 60_000,
    onConnectFailure: NOTHING,
    tag: undefined,
    ...options,
  }
}
