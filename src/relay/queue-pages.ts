/**
 * What can be asked of the mail queue over HTTP, by the operator (control.ts) and by a friend (queue-desk.ts):
 *
 *     GET  /queue?id=…&friend=…           what waits
 *     GET  /queue/audit?id=…&friend=…     who changed it
 *     GET  /queue/note?friend=…           why it is late, in words for that friend; null: nothing is
 *     POST /queue/hold?id=…&friend=…      and flush, release, delete; redirect with to=…, refuse with reason=…
 *
 * A friend sees and changes his own mail; of everything else he hears what is said of what never was.
 */
import { FaultError } from "../faults/faults.ts"
import type { FriendName } from "../route/route.ts"
import type { Chosen, MailQueue } from "./mail-queue.ts"
import { QUEUE_CHANGES, type QueueChange } from "./queue-change.ts"

/** `friend`: whose mail alone it is about; `undefined`: everybody's. `who`: for the audit trail. */
export type Caller = { readonly who: string; readonly friend: FriendName | undefined }

export type Page = { readonly status: number; readonly value: unknown }

/** `undefined`: there is no such page. A fault comes back as 409 with its code and detail. */
export async function queuePage(
  { method, url }: { readonly method?: string | undefined; readonly url?: string | undefined },
  queue: MailQueue,
  caller: Caller,
): Promise<Page | undefined> {
  const asked = URL.parse(`http://queue${url ?? "/"}`)
  if (!asked) return undefined
  const { pathname, searchParams } = asked
  const chosen = chosenBy(searchParams, caller)
  try {
    if (method === "GET" && pathname === "/queue") return fine(await queue.list(chosen))
    if (method === "GET" && pathname === "/queue/audit") return fine(await queue.audit(chosen))
    if (method === "GET" && pathname === "/queue/note" && chosen.friend !== undefined && chosen.id === undefined)
      return fine((await queue.note(chosen.friend)) ?? null)
    const change = method === "POST" ? changeIn(pathname, searchParams) : undefined
    return change && fine(await queue.change(change, chosen, caller.who))
  } catch (error) {
    if (error instanceof FaultError) return { status: 409, value: error.fault }
    throw error
  }
}

function fine(value: unknown): Page {
  return { status: 200, value }
}

function chosenBy(given: URLSearchParams, { friend: own }: Caller): Chosen {
  const id = given.get("id") ?? undefined
  const friend = given.get("friend") ?? undefined
  if (own === undefined) return { id, friend }
  // Another friend's name chooses nothing: never his mail, and never all of one's own instead.
  return friend === undefined || friend === own ? { id, friend: own } : { id: NOTHING, friend: own }
}

/** An id that no message has. */
const NOTHING = ""

/** What is asked for, with all that it needs. What ends or sends away mail is about one message at a time. */
function changeIn(pathname: string, given: URLSearchParams): QueueChange | undefined {
  const how = QUEUE_CHANGES.find((one) => pathname === `/queue/${one}`)
  if (how === undefined) return undefined
  if (how !== "redirect" && how !== "refuse") return { how }
  if (!given.has("id")) return undefined
  if (how === "refuse") return { how, reason: given.get("reason") ?? "" }
  const to = given.get("to")
  return to === null ? undefined : { how, to }
}
