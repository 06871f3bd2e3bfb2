/** What a relay's decisions are made by, out of the text of a configuration. */
import { routesOf, type Config, type Listener } from "../../src/config/config.ts"
import { readConfig } from "../../src/config/read-config.ts"
import type { ListenerName } from "../../src/route/route.ts"
import { RouteTable } from "../../src/route/table.ts"

export type TestGround = {
  readonly config: Config
  readonly table: RouteTable
  listener(name: ListenerName): Listener | undefined
}

export function groundOf(text: string): TestGround {
  const read = readConfig(text, "test.yaml")
  if (read.kind === "faults") throw new Error(JSON.stringify(read.faults))
  const { config } = read
  return {
    config,
    table: new RouteTable(routesOf(config)),
    listener: (name) => config.listeners.find((listener) => listener.name === name),
  }
}
