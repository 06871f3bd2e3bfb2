/** Asks the relay that runs on a state folder, through its control socket. control.ts is the other end. */
import { once } from "node:events"
import { request, type IncomingMessage } from "node:http"
import { text } from "node:stream/consumers"
import { fault, FaultError } from "../faults/faults.ts"
import { controlPath } from "./control.ts"
import type { Changed, Chosen, QueueChange, QueuedMessage } from "./mail-queue.ts"
import type { FriendTraffic } from "./traffic.ts"

/** Rejects with RELAY_NOT_RUNNING, or with what the system says (EACCES: this user may not). */
export async function askQueue(stateFolder: string, chosen: Chosen): Promise<readonly QueuedMessage[]> {
  return (await ask(stateFolder, "GET", "/queue", chosen)) as readonly QueuedMessage[] // control.ts sends `list` as it is
}

/** Rejects as `askQueue`. */
export async function changeQueue(stateFolder: string, how: QueueChange, chosen: Chosen): Promise<Changed> {
  return (await ask(stateFolder, "POST", `/queue/${how}`, chosen)) as Changed // and `change`
}

/** What each friend's dedicated connections move at this moment. Rejects as `askQueue`. */
export async function askTraffic(stateFolder: string): Promise<readonly FriendTraffic[]> {
  return (await ask(stateFolder, "GET", "/traffic", { id: undefined, friend: undefined })) as readonly FriendTraffic[]
}

async function ask(stateFolder: string, method: "GET" | "POST", page: string, chosen: Chosen): Promise<unknown> {
  const query = new URLSearchParams(
    Object.entries(chosen).filter((pair): pair is [string, string] => pair[1] !== undefined),
  )
  const asked = request({
    socketPath: controlPath(stateFolder),
    method,
    path: `${page}?${query.toString()}`,
    agent: false,
  })
  const response = await responseTo(asked.end(), stateFolder)
  const body = await text(response)
  if (response.statusCode !== 200) throw new Error(`the relay answered ${response.statusCode}: ${body.trim()}`)
  return JSON.parse(body)
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
