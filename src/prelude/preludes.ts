/** The protocols that begin in the clear and come to TLS by asking for it, and who plays which part in each. */
import { hostname, type Hostname } from "../names/hostname.ts"
import { ImapClientPart } from "./imap/client-part.ts"
import { ImapServerPart } from "./imap/server-part.ts"
import { Player } from "./player.ts"
import type { Prelude } from "./prelude.ts"
import { SieveClientPart } from "./sieve/client-part.ts"
import { SieveServerPart } from "./sieve/server-part.ts"
import { SmtpClientPart, type SmtpClientSettings } from "./smtp/client-part.ts"
import { SmtpServerPart, type SmtpServerSettings } from "./smtp/server-part.ts"
import { XmppClientPart } from "./xmpp/client-part.ts"
import { XmppServerPart } from "./xmpp/server-part.ts"

export type StartTlsProtocol = {
  /** Where it is spoken (IANA); the relay may be told others. */
  readonly ports: readonly number[]
  readonly towardsVisitor: (settings: TowardsVisitor) => VisitorSide
  readonly towardsHome: (settings: TowardsHome) => Prelude
}

export type TowardsVisitor = SmtpServerSettings & {
  /** Random, for protocols that want it. */
  readonly streamId: string
}

/** The part towards the visitor, and what was learnt from the visitor in it. */
export type VisitorSide = {
  readonly prelude: Prelude
  /** SMTP: the sender's own name. XMPP: the domain asked for. Others say nothing before TLS. */
  readonly introduced: () => string | undefined
}

export type TowardsHome = Pick<SmtpClientSettings, "xclient"> & {
  readonly introduced: string | undefined
  /** From the ClientHello. */
  readonly serverName: Hostname
}

export const STARTTLS_PROTOCOLS = {
  smtp: {
    ports: [25, 587],
    towardsVisitor: (settings) => {
      const part = new SmtpServerPart(settings)
      return { prelude: new Player(part), introduced: () => part.senderName }
    },
    // STARTTLS is not taken before EHLO, so there is a name.
    towardsHome: ({ introduced = "", xclient }) => new Player(new SmtpClientPart({ senderName: introduced, xclient })),
  },
  imap: {
    ports: [143],
    towardsVisitor: (settings) => ({ prelude: new Player(new ImapServerPart(settings)), introduced: () => undefined }),
    towardsHome: () => new Player(new ImapClientPart()),
  },
  managesieve: {
    ports: [4190],
    towardsVisitor: () => ({ prelude: new Player(new SieveServerPart()), introduced: () => undefined }),
    towardsHome: () => new Player(new SieveClientPart()),
  },
  xmpp: {
    ports: [5222],
    towardsVisitor: (settings) => {
      const part = new XmppServerPart(settings)
      return { prelude: new Player(part), introduced: () => part.domain }
    },
    towardsHome: ({ introduced, serverName }) => {
      return new Player(new XmppClientPart({ domain: (introduced && hostname(introduced)) || serverName }))
    },
  },
} as const satisfies Record<string, StartTlsProtocol>
