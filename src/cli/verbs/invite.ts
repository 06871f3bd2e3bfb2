import { systemClock } from "../../clock/clock.ts"
import { inviteFriend, type Invited } from "../../relay/invite.ts"
import { UsageError } from "../complaint.ts"
import { loadConfigFile } from "../config-file.ts"
import { EXIT } from "../exit-code.ts"
import { say, sayJson } from "../terminal.ts"
import { CONFIG, JSON_OUTPUT, verb } from "../verb.ts"

/** `waypost invite FRIEND -c FILE`: the line that lets a friend's box in. */
export const invite = verb({
  synopsis: "invite [friend]",
  does: "print the line with which a friend's box joins this relay",
  options: {
    friend: { type: "string", demandOption: true, describe: "a friend of the configuration file" },
    config: CONFIG,
    replace: {
      type: "boolean",
      default: false,
      describe: "the old box is lost: revoke its key; its tunnel ends within 5 s",
    },
    json: JSON_OUTPUT,
  },
  examples: [["waypost invite alice -c relay.yaml", "works for a day, once; send it as you would send a password"]],
  run: async ({ friend, config: file, replace, json }) => {
    const invited = await inviteFriend(await loadConfigFile(file), friend, replace, systemClock)
    if (invited.kind === "refused") throw refusal(invited.why, friend, file)
    const until = new Date(invited.until).toISOString()
    if (json) sayJson({ friend, line: invited.line, until })
    else
      say(`${invited.line}\n\nIt works once, until ${until}. On ${friend}'s box run "waypost join" and paste it there.`)
    return EXIT.fine
  },
})

function refusal(why: Extract<Invited, { kind: "refused" }>["why"], friend: string, file: string): UsageError {
  switch (why) {
    case "no-such-friend":
      return new UsageError(
        `${file} has no friend ${friend}`,
        `Add ${friend} under "friends" first: domains and routes.`,
      )
    case "no-tunnel-listener":
      return new UsageError(
        `${file} has no listener where a box could attach`,
        'Add one:  tunnel: { bind: ["0.0.0.0:7443"], protocol: tunnel }',
      )
    case "has-a-box":
      return new UsageError(`${friend} has a box already`, `"--replace" revokes its key and invites a new one.`)
  }
}
