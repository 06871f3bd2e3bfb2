/** Where the relay's kept mail goes: to the sink in SMTP, or to a box in front of it that takes it as a whole. */
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import type { SavedStatus } from "../../src/cli/run-box.ts"
import { Victim } from "./victim.ts"

export const HOMES = ["smtp", "box"] as const
export type Home = (typeof HOMES)[number]

export type Ports = { readonly smtp: number; readonly tunnel: number; readonly sink: number }

export function relayFile(folder: string, home: Home, ports: Ports): string {
  const to = home === "box" ? "box" : `"127.0.0.1:${ports.sink}"`
  const tunnel = home === "box" ? [`  tunnel: { bind: ["127.0.0.1:${ports.tunnel}"], protocol: tunnel }`] : []
  return [
    `relay: { name: relay.bob.example, state: ${join(folder, "state")} }`,
    "listeners:",
    `  smtp: { bind: ["127.0.0.1:${ports.smtp}"], protocol: smtp }`,
    ...tunnel,
    "friends:",
    "  dave:",
    "    domains: [dave.example]",
    `    routes: { smtp: { mode: peer, to: ${to}, cut-through: false } }`,
  ].join("\n")
}

/** Joins the relay, which runs, as a friend does. */
export async function joinedBox(program: readonly string[], folder: string, { sink }: Ports): Promise<Victim> {
  const waypost = (...args: readonly string[]) => promisify(execFile)(process.execPath, [...program, ...args])
  const file = join(folder, "box.yaml")
  const { stdout } = await waypost("invite", "dave", "--config", join(folder, "relay.yaml"))
  const [line = ""] = stdout.split("\n")
  await waypost("join", line, "--no-run", "--config", file, "--serve", `smtp=127.0.0.1:${sink}`)
  return new Victim([...program, "box", "--config", file])
}

/** Whether the box has said since then that its tunnel is up. */
export async function boxIsUp(folder: string, since: number): Promise<boolean> {
  const text = await readFile(join(folder, "box-state", "status.json"), "utf8").catch(() => "{}")
  const { at = 0, relays = [] } = JSON.parse(text) as Partial<SavedStatus> // the box's own file, replaced in one step
  return at >= since && relays.every(({ link }) => link.at === "up")
}
