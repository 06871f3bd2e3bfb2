/** Asks the relay that runs on a state folder, through its control socket. control.ts is the other end. */
import { once } from "node:events"
import { request, type IncomingMessage } from "node:http"
import { text } from "node:stream/consumers"
import { fault, FaultError } from "../faults/faults.ts"
import { answerIn, pathOf, type Ask } from "./ask-queue.ts"
import { controlPath } from "./control.ts"
import type { SenderCounts } from "./prelude-accounts.ts"
import type { FriendTraffic } from "./traffic.ts"

/** What it gives rejects with RELAY_NOT_RUNNING too, or with what the system says (EACCES: this user may not). */
export function controlOf(stateFolder: string): Ask {
  return async (method, page, given) => {
    const path = pathOf(page, given)
    const asked = request({ socketPath: controlPath(stateFolder), method, path, agent: false })
    const response = await responseTo(asked.end(), stateFolder)
    return answerIn(response.statusCode, await text(response))
  }
}

/** What each friend's dedicated connections move at this moment. */
export async function askTraffic(stateFolder: string): Promise<readonly FriendTraffic[]> {
  return (await controlOf(stateFolder)("GET", "/traffic", {})) as readonly FriendTraffic[] // control.ts sends it as it is
}

/** How senders have come to ports that friends share, since the relay was started. */
export async function askSenders(stateFolder: string): Promise<SenderCounts> {
  return (await controlOf(stateFolder)("GET", "/senders", {})) as SenderCounts // control.ts sends it as it is
}

async function responseTo(asked: ReturnType<typeof request>, stateFolder: string): Promise<IncomingMessage> {
  try {
    const [response] = (await once(asked, "response")) as [IncomingMessage]
    return response
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException // what node:http emits when it cannot connect
    if (code !== "ENOENT" && code !== "ECONNREFUSED") throw error
    const detail = `no relay is running on ${stateFolder}; start it with "waypost relay -c FILE", then ask again`
    throw new FaultError(fault("RELAY_NOT_RUNNING", detail), { cause: error })
  }
}
