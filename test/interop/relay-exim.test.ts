/** A second opinion on `waypost relay`: Exim on both sides of it. It sends content in chunks (BDAT) where it may. */
import { randomBytes } from "node:crypto"
import { describe, expect, test } from "@jest/globals"
import { eximSends, startExim, type Exim } from "../support/exim.ts"
import { eventually } from "../support/eventually.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair } from "../support/key-pair.ts"
import { startRelayProgram } from "../support/relay-program.ts"

const ALICES_OWN = "127.0.0.2"

/** More than any buffer on the way, with lines that DATA would have to change. */
const LINES = randomBytes(300_000).toString("base64").replaceAll(/.{76}/g, "$&\n")
const MAIL = { from: "carol@carol.example", text: `Meet me at noon\n.\n..two\n${LINES}\n.last`, tls: true }

withJudges(["exim4"], () => {
  describe("Exim, over STARTTLS and in chunks", () => {
    test("sends to a peer route, and receives from it", async () => {
      await using dave = await startExim("dave.example", await keyPair("dave.example"))
      await using bob = await startRelayProgram(`
listeners: { smtp: { bind: ["127.0.0.1:0"], protocol: smtp } }
friends:
  dave:
    domains: [dave.example]
    routes: { smtp: { mode: peer, to: "127.0.0.1:${dave.port}", recipients: [dave], tls: encrypt } }
`)
      const via = { address: "127.0.0.1", port: bob.port("smtp") }
      expect(await eximSends({ ...MAIL, to: "dave@dave.example", via })).toMatch(IN_CHUNKS)
      const mail = await onlyMail(dave)
      expect(mail).toContain(MAIL.text)
      expect(mail).toMatch(/^Received: from exim\.test .*\n(\s.*\n)*?\s+by relay\.bob\.example/m)
      expect(dave.log()).toMatch(/<= carol@carol\.example H=.*relay\.bob\.example.* P=esmtps X=TLS1\.3/)
    })

    test("sends along a dedicated route to an Exim where TLS ends", async () => {
      await using alice = await startExim("alice.example", await keyPair("alice.example"))
      await using bob = await startRelayProgram(`
listeners: { smtp: { bind: ["${ALICES_OWN}:0"], protocol: smtp } }
friends:
  alice: { addresses: [${ALICES_OWN}], routes: { smtp: { mode: dedicated, to: "127.0.0.1:${alice.port}" } } }
`)
      const via = { address: ALICES_OWN, port: bob.port("smtp", ALICES_OWN) }
      expect(await eximSends({ ...MAIL, to: "alice@alice.example", via })).toMatch(IN_CHUNKS)
      expect(await onlyMail(alice)).toContain(MAIL.text)
      expect(alice.log()).toMatch(/<= carol@carol\.example .*X=TLS1\.3.* K /)
    })
  })
})

/** Exim writes K for CHUNKING, X for TLS, C for the confirmation. */
const IN_CHUNKS = /=> \w+@\w+\.example .* X=TLS1\.3:.* K .*C="250[ -]/

async function onlyMail(server: Exim): Promise<string | undefined> {
  await eventually("delivered", () => server.mailbox().length > 0 && server.log().includes("Completed"))
  expect(server.mailbox()).toHaveLength(1)
  return server.mailbox()[0]
}
