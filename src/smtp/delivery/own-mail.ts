/** Keeps mail that the relay itself writes, from the null sender: answered by nobody (RFC 5321 §4.5.5). */
import type { Instant } from "../../clock/clock.ts"
import type { Hostname } from "../../names/hostname.ts"
import { ipAddress, type IpAddress } from "../../names/ip-address.ts"
import type { FriendName } from "../../route/route.ts"
import type { MessageId, NewRecipient, Spool } from "../../store/spool.ts"

/** `as`: one of the names of our own mail. */
export type OwnMail = { readonly as: FriendName; readonly name: Hostname; readonly at: Instant }

export type Written = {
  readonly bytes: Uint8Array
  readonly recipients: readonly NewRecipient[]
  readonly smtputf8: boolean
}

/** The address of a client that is ourselves. */
const LOOPBACK = ipAddress("127.0.0.1") as IpAddress

/** `write`: the message, by the id that it has in the spool. Rejects, with nothing kept, as `Draft.commit` does. */
export async function keepOwnMail(
  spool: Pick<Spool, "draft">,
  { as, name, at }: OwnMail,
  write: (id: MessageId) => Written,
): Promise<MessageId> {
  const draft = spool.draft()
  try {
    const { bytes, recipients, smtputf8 } = write(draft.id)
    await draft.write(bytes)
    await draft.commit({
      friend: as,
      from: "",
      recipients,
      receivedAt: at,
      body: smtputf8 ? "8bitmime" : "7bit",
      smtputf8,
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

/** Plain text for people or programs who are told of nothing that becomes of it. */
export function plainly(bytes: Uint8Array, to: readonly string[]): Written {
  return { bytes, recipients: to.map((address) => ({ address, notify: ["NEVER"], orcpt: undefined })), smtputf8: false }
}
