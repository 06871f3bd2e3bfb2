/**
 * The line with which a friend looks after his own mail from anywhere: where the relay is, the pin of its key, and his secret.
 * It works until it is revoked, and is kept in a file as a password is.
 *
 *     waypost-queue:alice@relay.bob.example:7443#KEY.SECRET
 */
import { invitationLine, readInvitation, type Invitation } from "./invitation.ts"

/** The same parts as an invitation, and neither can be used in the place of the other. */
export type QueueToken = Invitation

const SCHEME = "waypost-queue:"

export function tokenLine(token: QueueToken): string {
  return invitationLine(token).replace(/^waypost:/, SCHEME)
}

/** `undefined` if it is damaged, or no token. */
export function readToken(line: string): QueueToken | undefined {
  const text = line.trim()
  return text.startsWith(SCHEME) ? readInvitation(`waypost:${text.slice(SCHEME.length)}`) : undefined
}
