/** How a friend's server asks for its mail: what the configuration allows, and what is done about it. */
import { readFile, stat } from "node:fs/promises"
import { fault } from "../faults/faults.ts"
import { contains } from "../names/ip-address.ts"
import type { FriendName } from "../route/route.ts"
import type { MailDelivery } from "../smtp/delivery/mail-delivery.ts"
import { Waking } from "../smtp/intake/waking.ts"
import type { Spool } from "../store/spool.ts"
import type { Now, Outside } from "./doors.ts"

type Needs = { readonly spool: Spool; readonly delivery: MailDelivery }

export function wakingPart(
  now: Now,
  { clock, log }: Pick<Outside, "clock" | "log">,
  { spool, delivery }: Needs,
): Waking {
  const friends = () => now.standing.config.friends
  const demandsTls = (friend: FriendName): boolean =>
    now.standing.table.routes.some(
      ({ friend: owner, carry }) =>
        owner === friend && carry.mode === "peer" && carry.as === "mail" && carry.tls !== "opportunistic",
    )
  return new Waking({
    name: now.standing.config.relay.name,
    clock,
    wakers: (address) =>
      friends()
        .filter(({ wakeFrom }) => wakeFrom.some((range) => contains(range, address)))
        .map(({ name }) => name),
    isOf: (friend, domain) => now.standing.mailRoute(friend, domain) !== undefined,
    wake: (friend) => delivery.wake(friend),
    isFetchedAt: (listener) => now.standing.listener(listener)?.odmr ?? false,
    secretOf: async (name) => {
      const file = friends().find((friend) => friend.name === name)?.odmrSecretFile
      return file === undefined
        ? undefined
        : secretIn(file).catch((error: unknown) => {
            log.error("odmr secret unreadable", { friend: name, why: String(error) })
            return undefined
          })
    },
    hindrance: async (friend, secure) => {
      if (delivery.isFetched(friend)) return fault("FETCHING_TWICE", friend)
      if (!secure && demandsTls(friend)) return fault("FETCHING_REFUSED", `${friend}'s route demands TLS`)
      const { messages } = await spool.usage(friend)
      return messages === 0 ? fault("NOTHING_TO_FETCH", friend) : undefined
    },
    turned: (fetching, socket) => {
      log.info("mail fetched", {
        friend: fetching.friend,
        domains: fetching.domains.join(" "),
        secure: fetching.secure,
      })
      delivery
        .fetch({ ...fetching, socket })
        .catch((error: unknown) => log.error("mail not fetched", { friend: fetching.friend, why: String(error) }))
        .finally(() => socket.destroySoon())
    },
  })
}

/** Ours: shorter ones can be found by trying, from one CRAM-MD5 that was overheard. */
const SECRET_CHARS_MIN = 16
const OTHERS_MAY = 0o077

/** Read each time, so that a new one holds at once. */
async function secretIn(file: string): Promise<string> {
  if (((await stat(file)).mode & OTHERS_MAY) !== 0) throw new Error(`${file} can be read by others: chmod 600`)
  const secret = (await readFile(file, "utf8")).trim()
  if (secret.length < SECRET_CHARS_MIN) throw new Error(`${file} has fewer than ${SECRET_CHARS_MIN} characters`)
  return secret
}
