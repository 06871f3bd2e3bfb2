import { expect, test } from "@jest/globals"
import { hostname, type Hostname } from "../../../src/names/hostname.ts"
import { STARTTLS_PROTOCOLS } from "../../../src/prelude/preludes.ts"
import type { Prelude } from "../../../src/prelude/prelude.ts"

const name = hostname("relay.bob.example") as Hostname // known to be one
const serverName = hostname("mx.alice.example") as Hostname // known to be one

/** What a visitor says in each, up to the last word before TLS. */
const VISITORS = {
  smtp: ["EHLO carol.example\r\n", "STARTTLS\r\n"],
  imap: ["a STARTTLS\r\n"],
  managesieve: ["STARTTLS\r\n"],
  xmpp: [
    "<stream:stream xmlns='jabber:client' to='alice.example'>",
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
  ],
} as const

test.each(Object.keys(VISITORS) as (keyof typeof VISITORS)[])(
  "in %s our part towards a home leads our part towards a visitor to TLS",
  (protocol) => {
    const { towardsVisitor, towardsHome } = STARTTLS_PROTOCOLS[protocol]
    const side = () => towardsVisitor({ name, offers: [], withoutTls: "refuse", streamId: "7f3a" })
    const visited = side()
    visited.prelude.begin()
    expect(VISITORS[protocol].flatMap((text) => visited.prelude.received(Buffer.from(text))).at(-1)).toEqual({
      do: "begin-tls",
    })
    const home = towardsHome({ introduced: visited.introduced(), serverName, xclient: undefined })
    expect(talk(home.prelude, side().prelude)).toEqual(["begin-tls", "begin-tls"])
  },
)

/** Lets a client's part and a server's part talk until neither says anything; gives how each ended. */
function talk(client: Prelude, server: Prelude): readonly (string | undefined)[] {
  const [toServer, toClient] = [client.begin().slice(), server.begin().slice()]
  const ends = new Map<Prelude, string>()
  const hear = (listener: Prelude, from: typeof toServer, to: typeof toServer) => {
    const wish = from.shift()
    if (wish?.do === "say") to.push(...listener.received(Buffer.from(wish.text)))
    else if (wish) ends.set(listener === server ? client : server, wish.do)
  }
  while (toServer.length + toClient.length > 0) {
    hear(client, toClient, toServer)
    hear(server, toServer, toClient)
  }
  return [ends.get(client), ends.get(server)]
}
