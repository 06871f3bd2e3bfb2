/** `waypost queue token`: gives, lists and revokes the tokens with which friends look after their own mail. */
import { systemClock } from "../clock/clock.ts"
import { giveToken } from "../relay/give-token.ts"
import { queueTokensIn } from "../store/queue-tokens.ts"
import { UsageError } from "./complaint.ts"
import { loadConfigFile } from "./config-file.ts"
import { EXIT, type ExitCode } from "./exit-code.ts"
import { columns, say, sayJson } from "./terminal.ts"
import { textTable } from "./text-table.ts"

type Wanted = {
  readonly config: string | undefined
  readonly friend: string | undefined
  readonly list: boolean
  readonly revoke: boolean
  readonly json: boolean
}

export async function queueToken({ config: file, friend, list, revoke, json }: Wanted): Promise<ExitCode> {
  if (file === undefined) throw new UsageError("only the relay's operator gives tokens", "Give -c FILE.")
  const config = await loadConfigFile(file)
  const tokens = queueTokensIn(config.relay.state)
  if (list) return listed(await tokens.list(), json)
  if (friend === undefined) throw new UsageError("a token for whom?", "waypost queue token FRIEND -c FILE")
  if (revoke) {
    const revoked = await tokens.revoke(friend)
    if (json) sayJson({ friend, revoked })
    else say(revoked ? `${friend}'s token opens nothing any more` : `${friend} has no token`)
    return revoked ? EXIT.fine : EXIT.failed
  }
  const given = await giveToken(config, friend, systemClock)
  if (given.kind === "refused")
    throw given.why === "no-such-friend"
      ? new UsageError(`${file} has no friend ${friend}`, `Add ${friend} under "friends" first: domains and routes.`)
      : new UsageError(
          `${file} has no listener where a friend could ask`,
          'Add one:  tunnel: { bind: ["0.0.0.0:7443"], protocol: tunnel }',
        )
  if (json) sayJson({ friend, line: given.line })
  else
    say(
      `${given.line}\n\nShown once. It opens ${friend}'s own mail alone, until --revoke or a new one. Send it as a password.`,
    )
  return EXIT.fine
}

type Listed = Awaited<ReturnType<ReturnType<typeof queueTokensIn>["list"]>>

function listed(all: Listed, json: boolean): ExitCode {
  const rows = all.map(({ friend, since }) => [friend, new Date(since).toISOString()])
  if (json) sayJson(all)
  else say(rows.length === 0 ? "nobody has a token" : textTable([["FRIEND", "SINCE"], ...rows], columns()))
  return EXIT.fine
}
