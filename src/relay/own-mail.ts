/** Keeps mail that the relay itself writes, from the null sender: answered by nobody (RFC 5321 §4.5.5). */
import type { Instant } from "../clock/clock.ts"
import type { Hostname } from "../names/hostname.ts"
import { ipAddress, type IpAddress } from "../names/ip-address.ts"
import type { FriendName } from "../route/route.ts"
import type { MessageId, Spool } from "../store/spool.ts"

/** `as`: one of the names of our own mail. */
export type OwnMail = {
  readonly as: FriendName
  readonly name: Hostname
  readonly to: readonly string[]
  readonly at: Instant
}

/** The address of a client that is ourselves. */
const LOOPBACK = ipAddress("127.0.0.1") as IpAddress

/** `write`: the message, by the id that it has in the spool. Rejects, with nothing kept, if the spool does. */
export async function keepOwnMail(
  spool: Pick<Spool, "draft">,
  { as, name, to, at }: OwnMail,
  write: (id: MessageId) => Uint8Array,
): Promise<MessageId> {
  const draft = spool.draft()
  try {
    await draft.write(write(draft.id))
    await draft.commit({
      friend: as,
      from: "",
      recipients: to.map((address) => ({ address, notify: ["NEVER"], orcpt: undefined })),
      receivedAt: at,
      body: "7bit",
      smtputf8: false,
      requireTls: false,
      sealed: false,
      ret: undefined,
      envid: undefined,
      client: { address: LOOPBACK, helo: name, tls: undefined },
    })
  } catch (error) {
    await draft.discard()
    throw error
  }
  return draft.id
}
