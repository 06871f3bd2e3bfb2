/** A second opinion on a whole relay: Exim on both sides of it. */
import { describe, expect, test } from "@jest/globals"
import { eximSends, startExim } from "../support/exim.ts"
import { eventually } from "../support/eventually.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair } from "../support/key-pair.ts"
import { testRelay } from "../support/relay.ts"

const ALICES_OWN = "127.0.0.2"
const MAIL = { from: "carol@carol.example", text: "Meet me at noon" }

withJudges(["exim4"], () => {
  describe("Exim", () => {
    test("sends to a peer route, and receives from it", async () => {
      await using dave = await startExim("dave.example")
      await using bob = await testRelay(`
listeners: { smtp: { bind: ["127.0.0.1:0"], protocol: smtp } }
friends:
  dave:
    domains: [dave.example]
    routes: { smtp: { mode: peer, to: "127.0.0.1:${dave.port}", recipients: [dave] } }`)
      await eximSends({ ...MAIL, to: "dave@dave.example", via: bob.at("smtp") })
      const mail = await eventually("delivered", () => dave.mailbox()[0])
      expect(mail).toMatch(/Meet me at noon/)
      expect(mail).toMatch(/^Received: from exim\.test .*\n(\s.*\n)*?\s+by relay\.bob\.example/m)
    })

    test("sends along a dedicated route to an Exim where TLS ends", async () => {
      await using alice = await startExim("alice.example", await keyPair("alice.example"))
      await using bob = await testRelay(`
listeners: { smtp: { bind: ["${ALICES_OWN}:0"], protocol: smtp } }
friends:
  alice: { addresses: [${ALICES_OWN}], routes: { smtp: { mode: dedicated, to: "127.0.0.1:${alice.port}" } } }`)
      await eximSends({ ...MAIL, to: "alice@alice.example", via: bob.at("smtp", ALICES_OWN), tls: true })
      expect(await eventually("delivered", () => alice.mailbox()[0])).toMatch(/Meet me at noon/)
      expect(alice.log()).toMatch(/<= carol@carol\.example .*X=TLS1\.3/)
    })
  })
})
