/** Alice's box in the test's own process, joined to a relay that runs as a program. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { startBox, type Box } from "../../src/box/box.ts"
import { systemClock } from "../../src/clock/clock.ts"
import { readBoxConfig } from "../../src/config/box-config.ts"
import { readConfig } from "../../src/config/read-config.ts"
import { silentLog } from "../../src/log/log.ts"
import { inviteFriend } from "../../src/relay/invite.ts"
import { readInvitation, type Invitation } from "../../src/tunnel/invitation.ts"
import { eventually } from "./eventually.ts"

export type AttachedBox = AsyncDisposable & Pick<Box, "status" | "outgoing">

export type BoxWishes = {
  readonly friend?: string
  /** Where the relay's tunnel listener is; loopback if not given. */
  readonly address?: string
  /** Programs at home may ask for connections to the outside, at a free port of loopback. */
  readonly outgoing?: boolean
}

/**
 * Joins the relay whose file is `folder`/relay.yaml and waits until the tunnel is up. `port`: where it dials;
 * `servicePort`: where every service that the relay asks for as `any` is.
 */
export async function attachedBox(
  folder: string,
  port: number,
  servicePort: number,
  { friend = "alice", address = "127.0.0.1", outgoing = false }: BoxWishes = {},
): Promise<AttachedBox> {
  const invitation = await invited(join(folder, "relay.yaml"), friend)
  const text = `
state: ./${friend}-state
relays: { bob: { at: "${address}:${port}", key: "${invitation.relayPin}", carriers: false } }
services: { any: "127.0.0.1:${servicePort}" }
${outgoing ? 'outgoing: { listen: "127.0.0.1:0" }' : ""}
`
  const read = readBoxConfig(text, join(folder, "box.yaml"))
  if (read.kind === "faults") throw new Error(JSON.stringify(read.faults))
  const outside = { clock: systemClock, log: silentLog, dice: Math.random, claim: invitation.secret }
  const box = await startBox(read.config, outside)
  await eventually("the box is attached", () => box.status().every(({ link }) => link.at === "up"))
  return { status: () => box.status(), outgoing: box.outgoing, [Symbol.asyncDispose]: async () => box.stop() }
}

/** What `waypost invite` does beside a running relay, without another process. */
async function invited(file: string, friend: string): Promise<Invitation> {
  const read = readConfig(await readFile(file, "utf8"), file)
  if (read.kind === "faults") throw new Error(JSON.stringify(read.faults))
  const made = await inviteFriend(read.config, friend, false, systemClock)
  const invitation = made.kind === "invited" ? readInvitation(made.line) : undefined
  if (!invitation) throw new Error(`no invitation: ${JSON.stringify(made)}`)
  return invitation
}
