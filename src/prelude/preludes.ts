/** The protocols that begin in the clear and come to TLS by asking for it, and who plays which part in each. */
import type { FaultCode } from "../faults/faults.ts"
import { hostname, type Hostname } from "../names/hostname.ts"
import { ImapClientPart } from "./imap/client-part.ts"
import { imapFarewell, ImapServerPart } from "./imap/server-part.ts"
import { Player } from "./player.ts"
import type { Prelude } from "./prelude.ts"
import { SieveClientPart } from "./sieve/client-part.ts"
import { sieveFarewell, SieveServerPart } from "./sieve/server-part.ts"
import { SmtpClientPart, type SmtpClientSettings } from "./smtp/client-part.ts"
import { smtpFarewell, SmtpServerPart, type SmtpServerSettings } from "./smtp/server-part.ts"
import { XmppClientPart } from "./xmpp/client-part.ts"
import { XmppServerPart } from "./xmpp/server-part.ts"

export type StartTlsProtocol = {
  /** Where it is spoken (IANA); the relay may be told others. */
  readonly ports: readonly number[]
  readonly towardsVisitor: (settings: TowardsVisitor) => VisitorSide
  readonly towardsHome: (settings: TowardsHome) => HomeSide
  /** What a visitor is told who is not carried: instead of a greeting, or behind the handshake where TLS has begun. */
  readonly farewell: (code: FaultCode, streamId: string) => string
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
  /** The host that it asked for before TLS, where its protocol has that: to route by where the ClientHello names nobody. */
  readonly asked: () => Hostname | undefined
  /** It tried to go on without TLS and was refused. */
  readonly wasToldToUseTls: () => boolean
}

/** The part towards the friend's server, and what was learnt from the server in it. */
export type HomeSide = {
  readonly prelude: Prelude
  /** SMTP: the keywords of its EHLO. Others list what they can do behind TLS. */
  readonly offers: () => readonly string[]
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
      return {
        prelude: new Player(part),
        introduced: () => part.senderName,
        asked: nobody,
        wasToldToUseTls: () => part.wasToldToUseTls,
      }
    },
    // STARTTLS is not taken before EHLO, so there is a name.
    towardsHome: ({ introduced = "", xclient }) => {
      const part = new SmtpClientPart({ senderName: introduced, xclient })
      return { prelude: new Player(part), offers: () => part.offers }
    },
    farewell: smtpFarewell,
  },
  imap: {
    ports: [143],
    towardsVisitor: (settings) => silent(new Player(new ImapServerPart(settings))),
    towardsHome: () => ({ prelude: new Player(new ImapClientPart()), offers: nothing }),
    farewell: imapFarewell,
  },
  managesieve: {
    ports: [4190],
    towardsVisitor: () => silent(new Player(new SieveServerPart())),
    towardsHome: () => ({ prelude: new Player(new SieveClientPart()), offers: nothing }),
    farewell: sieveFarewell,
  },
  xmpp: {
    ports: [5222],
    towardsVisitor: (settings) => {
      const part = new XmppServerPart(settings)
      const domain = () => part.domain
      return { prelude: new Player(part), introduced: domain, asked: domain, wasToldToUseTls: () => false }
    },
    towardsHome: ({ introduced, serverName }) => {
      const domain = (introduced && hostname(introduced)) || serverName
      return { prelude: new Player(new XmppClientPart({ domain })), offers: nothing }
    },
    farewell: (code, streamId) => new XmppServerPart({ streamId }).farewell(code),
  },
} as const satisfies Record<string, StartTlsProtocol>

/** Of a protocol in which a visitor says nothing about itself before TLS. */
function silent(prelude: Prelude): VisitorSide {
  return { prelude, introduced: nobody, asked: nobody, wasToldToUseTls: () => false }
}

function nobody(): undefined {
  return undefined
}

function nothing(): readonly string[] {
  return []
}
