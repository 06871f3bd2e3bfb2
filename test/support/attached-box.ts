/** Alice's box in the test's own process, joined to a relay that runs as a program. */
import { join } from "node:path"
import { startBox, type Box } from "../../src/box/box.ts"
import { systemClock } from "../../src/clock/clock.ts"
import { readBoxConfig } from "../../src/config/box-config.ts"
import { silentLog } from "../../src/log/log.ts"
import { readInvitation } from "../../src/tunnel/invitation.ts"
import { eventually } from "./eventually.ts"
import { waypost } from "./waypost.ts"

export type AttachedBox = AsyncDisposable & Pick<Box, "status">

/**
 * Joins the relay whose file is `folder`/relay.yaml and waits until the tunnel is up. `port`: where on loopback it dials;
 * `servicePort`: where every service that the relay asks for as `any` is.
 */
export async function attachedBox(folder: string, port: number, servicePort: number): Promise<AttachedBox> {
  const { out } = await waypost("invite", "alice", "-c", join(folder, "relay.yaml"))
  const invitation = readInvitation(out.split("\n")[0] ?? "")
  if (!invitation) throw new Error(`no invitation: ${out}`)
  const text = `
relays: { bob: { at: "127.0.0.1:${port}", key: "${invitation.relayPin}", carriers: false } }
services: { any: "127.0.0.1:${servicePort}" }
`
  const read = readBoxConfig(text, join(folder, "box.yaml"))
  if (read.kind === "faults") throw new Error(JSON.stringify(read.faults))
  const outside = { clock: systemClock, log: silentLog, dice: Math.random, claim: invitation.secret }
  const box = await startBox(read.config, outside)
  await eventually("the box is attached", () => box.status().every(({ link }) => link.at === "up"))
  return { status: () => box.status(), [Symbol.asyncDispose]: async () => box.stop() }
}
