/** Whom a question about the mail queue goes to, and in whose name: the operator's relay here, or a relay far away. */
import { readFile, stat } from "node:fs/promises"
import { boxIdentity } from "../box/box.ts"
import { systemClock } from "../clock/clock.ts"
import { controlOf } from "../relay/ask-control.ts"
import { deskOf, pin, readToken } from "../relay/ask-desk.ts"
import type { Ask } from "../relay/ask-queue.ts"
import { loadBoxFile } from "./box-file.ts"
import { UsageError } from "./complaint.ts"
import { loadConfigFile } from "./config-file.ts"

export type Through = {
  readonly config: string | undefined
  readonly tokenFile: string | undefined
  readonly box: string | undefined
  /** Of several in the box's file. */
  readonly relay: string | undefined
}

const OTHERS_MAY = 0o077

/** Exactly one of the three says who asks. */
export async function askThrough({ config, tokenFile, box, relay }: Through): Promise<Ask> {
  if ([config, tokenFile, box].filter((given) => given !== undefined).length !== 1)
    throw new UsageError(
      "who asks?",
      "Give one: -c FILE (the relay's operator), --token-file FILE, or --box FILE (a friend).",
    )
  if (config !== undefined) return controlOf((await loadConfigFile(config)).relay.state)
  return tokenFile === undefined ? askAsBox(box ?? "", relay) : askByToken(tokenFile)
}

async function askByToken(file: string): Promise<Ask> {
  if (((await stat(file)).mode & OTHERS_MAY) !== 0)
    throw new UsageError(`${file} can be read by others`, `It is a password: chmod 600 ${file}`)
  const token = readToken(await readFile(file, "utf8"))
  if (!token)
    throw new UsageError(
      `${file} holds no token, or not all of it`,
      'It is one line that begins with "waypost-queue:".',
    )
  return deskOf({ ...token, by: { kind: "token", token }, clock: systemClock })
}

async function askAsBox(file: string, name: string | undefined): Promise<Ask> {
  const { state, relays } = await loadBoxFile(file)
  const [relay, ...more] = relays.filter((each) => name === undefined || each.name === name)
  if (!relay || more.length > 0)
    throw new UsageError("which relay?", `Give --relay with one of ${relays.map((each) => each.name).join(", ")}.`)
  const relayPin = pin(relay.key)
  if (!relayPin) throw new UsageError(`${file}: the key of ${relay.name} is none`, "As in the invitation.")
  const identity = await boxIdentity(state, systemClock)
  return deskOf({ relays: relay.at, relayPin, by: { kind: "box", ...identity }, clock: systemClock })
}
