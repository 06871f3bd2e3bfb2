/**
 * Mail that is handed to a box as a whole, as it is described on the way: the envelope, and who brought it. JSON, specified in
 * docs/tunnel-protocol.md §8. The box reads what a relay writes, and a relay may be anybody: nothing is believed that was
 * not checked here.
 */
import * as z from "zod"
import { hostname, type Hostname } from "../../names/hostname.ts"
import { ipAddress } from "../../names/ip-address.ts"
import type { PinnedKeys } from "../../route/route.ts"
import type { Client, KeptMessage, KeptRecipient, MessageId } from "../../store/spool.ts"
import { isSendable } from "../delivery/parameters.ts"
import type { VisitorName } from "../delivery/xclient.ts"

/** One message for some of its recipients, without its content. */
export type Letter = {
  /** The relay's name, for EHLO. */
  readonly by: Hostname
  readonly message: KeptMessage
  /** Who handed it in is told to the server with XCLIENT, which must take that; `undefined`: it is not told. */
  readonly visitorName: VisitorName | undefined
  /** The server must show one of these keys behind STARTTLS. */
  readonly pinned: PinnedKeys | undefined
}

/** Ours: as many recipients as a relay takes for one message. */
const RECIPIENTS_MAX = 1_000
/** Ours: RFC 5321 §4.5.3.1 has 256 octets for a path; UTF-8 and old habits may need more. */
const ADDRESS_CHARS_MAX = 1_000
/** Ours: RFC 3461 §4.2 and §4.4 have 500 and 100 characters. */
const PARAMETER_CHARS_MAX = 1_000

/** Without what could end a line of SMTP. */
const text = (charsMax: number) => z.string().max(charsMax).refine(isSendable)
const address = text(ADDRESS_CHARS_MAX)
const parameter = z.string().max(PARAMETER_CHARS_MAX)

const letterSchema = z.object({
  /** As in spool.ts: random, and the same at every try. */
  id: z.string().regex(/^[a-z2-7]{16}$/),
  by: z.string(),
  from: address,
  body: z.enum(["7bit", "8bitmime"]),
  smtputf8: z.boolean(),
  requireTls: z.boolean(),
  ret: z.enum(["FULL", "HDRS"]).optional(),
  envid: parameter.optional(),
  receivedAt: z.number(),
  sizeBytes: z.int().min(0),
  sealed: z.boolean(),
  client: z.object({ address: z.string(), helo: text(ADDRESS_CHARS_MAX), tls: parameter.optional() }),
  visitorName: z
    .union([
      z.object({ kind: z.literal("name"), name: text(ADDRESS_CHARS_MAX) }),
      z.object({ kind: z.enum(["none", "unknown"]) }),
    ])
    .optional(),
  pinned: z
    .array(z.string().regex(/^[0-9a-f]{64}$/))
    .min(1)
    .optional(),
  recipients: z
    .array(
      z.object({
        address,
        notify: z.array(z.enum(["NEVER", "SUCCESS", "FAILURE", "DELAY"])).optional(),
        orcpt: parameter.optional(),
      }),
    )
    .min(1)
    .max(RECIPIENTS_MAX),
})

type Written = z.input<typeof letterSchema>

export function letterText(letter: Letter): string {
  const { id, from, body, smtputf8, requireTls, ret, envid, receivedAt, sizeBytes, sealed, client, recipients } =
    letter.message
  const written: Written = {
    id,
    by: letter.by,
    from,
    body,
    smtputf8,
    requireTls,
    ...(ret && { ret }),
    ...(envid !== undefined && { envid }),
    receivedAt,
    sizeBytes,
    sealed,
    client: { address: client.address, helo: client.helo, ...(client.tls !== undefined && { tls: client.tls }) },
    ...(letter.visitorName && { visitorName: letter.visitorName }),
    ...(letter.pinned && { pinned: [...letter.pinned.spkiSha256] }),
    recipients: recipients.map(({ address: to, notify, orcpt }) => ({
      address: to,
      ...(notify && { notify: [...notify] }),
      ...(orcpt !== undefined && { orcpt }),
    })),
  }
  return JSON.stringify(written)
}

/** `undefined` if it is not what docs/tunnel-protocol.md says. Never throws. */
export function readLetter(json: string): Letter | undefined {
  const read = letterSchema.safeParse(parsed(json))
  if (!read.success) return undefined
  const { id, by, client, visitorName, pinned, recipients, ret, envid, ...envelope } = read.data
  const [name, clientAddress] = [hostname(by), ipAddress(client.address)]
  if (!name || !clientAddress) return undefined
  const handedIn: Client = { address: clientAddress, helo: client.helo, tls: client.tls }
  const message = { ...envelope, friend: "", ret, envid, client: handedIn, recipients: recipients.map(toBeTried) }
  const [firstPin, ...morePins] = pinned ?? []
  return {
    by: name,
    message: { ...message, id: id as MessageId }, // it has the form of one, and is only compared
    visitorName,
    pinned: firstPin === undefined ? undefined : { spkiSha256: [firstPin, ...morePins] },
  }
}

function toBeTried(recipient: z.output<typeof letterSchema>["recipients"][number]): KeptRecipient {
  const { address: to, notify, orcpt } = recipient
  return { address: to, notify, orcpt, attempt: { at: "waiting", until: 0, tries: 0, lastReply: undefined } }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
