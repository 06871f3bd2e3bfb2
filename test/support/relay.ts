/** A relay in the test's own process: its configuration is written as an operator writes it. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { systemClock, type Clock } from "../../src/clock/clock.ts"
import type { Config } from "../../src/config/config.ts"
import { configFaultText, readConfig } from "../../src/config/read-config.ts"
import type { Fields, Log } from "../../src/log/log.ts"
import type { SocketAddress } from "../../src/names/endpoint.ts"
import type { Engine } from "../../src/net/engine.ts"
import { javascriptEngine } from "../../src/net/engine-js.ts"
import type { Inherited } from "../../src/relay/inherited.ts"
import { startRelay, type Relay } from "../../src/relay/relay.ts"

export type Logged = { readonly level: "info" | "warn" | "error"; readonly event: string; readonly fields: Fields }

export type TestRelay = AsyncDisposable & {
  readonly relay: Relay
  readonly log: readonly Logged[]
  /** Where a listener is, by its name and the address it was asked to have. */
  at(listener: string, address?: string): SocketAddress
  /** Loads listeners and friends anew, with the same state folder. */
  reload(yaml: string): Promise<void>
}

/** `yaml`: everything but `relay:`. Ports of 0 are the way to have any free one. */
export async function testRelay(
  yaml: string,
  options: { clock?: Clock; engine?: Engine; inherited?: Inherited } = {},
): Promise<TestRelay> {
  const folder = await mkdtemp(join(tmpdir(), "waypost-relay-"))
  const log: Logged[] = []
  const engine = options.engine ?? javascriptEngine({ log: logInto(log) })
  const { clock = systemClock, inherited } = options
  const outside = { clock, log: logInto(log), engine, inherited }
  const relay = await startRelay(testConfig(yaml, folder), outside).catch(async (error: unknown) => {
    await rm(folder, { recursive: true })
    throw error
  })
  return {
    relay,
    log,
    at: (listener, address = "127.0.0.1") => placeOf(relay, listener, address),
    reload: (text) => relay.reload(testConfig(text, folder)),
    [Symbol.asyncDispose]: async () => {
      await relay.stop(0)
      await rm(folder, { recursive: true })
    },
  }
}

/** Reads a configuration whose relay is `relay.bob.example`, with its state in `folder`. */
export function testConfig(yaml: string, folder: string): Config {
  const read = readConfig(`relay: { name: relay.bob.example, state: ./state }\n${yaml}`, join(folder, "relay.yaml"))
  if (read.kind === "faults") throw new Error(read.faults.map(configFaultText).join("\n"))
  return read.config
}

/** A log that can be read afterwards. */
export function logInto(events: Logged[]): Log {
  const at =
    (level: Logged["level"]) =>
    (event: string, fields: Fields = {}): void =>
      void events.push({ level, event, fields })
  return { info: at("info"), warn: at("warn"), error: at("error") }
}

function placeOf(relay: Relay, listener: string, address: string): SocketAddress {
  const found = relay.bound.find((place) => place.listener === listener && place.bound.address === address)
  if (!found) throw new Error(`the relay does not listen as ${listener} on ${address}`)
  return found.bound
}
