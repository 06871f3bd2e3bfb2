/** Who mail is from, judged by dkimpy, pyspf and authres: whether what the relay says is true, and leaves signatures good. */
import { execFileSync } from "node:child_process"
import { describe, expect, test } from "@jest/globals"
import { systemClock } from "../../src/clock/clock.ts"
import { silentLog } from "../../src/log/log.ts"
import type { IpAddress } from "../../src/names/ip-address.ts"
import { Checker } from "../../src/smtp/auth/checker.ts"
import { startBetween } from "../support/cut-through.ts"
import { BOB } from "../support/delivery.ts"
import { withJudges } from "../support/judge.ts"
import { nameServer } from "../support/name-server.ts"
import { nextHop } from "../support/next-hop.ts"
import { freePort } from "../support/program.ts"
import { CAROLS_KEY, CAROLS_MAIL, SENDERS_ZONE } from "../support/signed-mail.ts"
import { SmtpClient } from "../support/smtp-dialogue.ts"
import { contentOf } from "../support/spool.ts"

/** The one that has Debian's modules; another may stand before it in PATH. */
const DEBIANS_PYTHON = "/usr/bin/python3"
const HANDED_IN = { from: "carol@sender.example", helo: "mx.sender.example" }
const CAROL = "192.0.2.1" as IpAddress
const STRANGER = "203.0.113.66" as IpAddress
const FORGED = "Authentication-Results: relay.bob.example; spf=pass; dkim=pass header.d=sender.example; dmarc=pass\r\n"
/** What programs on the way like to change. */
const DELICATE = `${CAROLS_MAIL}.\r\n..two\r\n trailing \t \r\n\r\nGr\u00fc\u00dfe\r\n${"long ".repeat(300)}\r\n\r\n\r\n`

/** Signs, in the strictest canonicalization: one byte that changes breaks it. */
const SIGN = `
import dkim, sys
message = sys.stdin.buffer.read()
key = sys.argv[1].encode()
sys.stdout.buffer.write(dkim.sign(message, b"s1", b"sender.example", key, canonicalize=(b"simple", b"simple")) + message)
`

/** What the judges find in a message: signature, SPF of whoever handed it in, and the results that stand on top. */
const JUDGE = `
import authres, dkim, email, json, spf, sys
zone, address, sender, helo = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
def texts(name): return zone.get(name.rstrip(".").lower() + " TXT", [])
def lookup(name, kind, *rest, **named): return [((name, "TXT"), (text.encode(),)) for text in texts(name)] if kind == "TXT" else []
spf.DNSLookup = lookup
raw = sys.stdin.buffer.read()
message = email.message_from_bytes(raw)
fields = [authres.AuthenticationResultsHeader.parse("Authentication-Results: " + value) for value in message.get_all("Authentication-Results", [])]
signed = dkim.verify(raw, dnsfunc=lambda name, timeout=5: (texts(name.decode()) or [""])[0].encode() or None)
print(json.dumps({
  "dkim": signed,
  "spf": spf.check2(i=address, s=sender, h=helo)[0],
  "results": [{"by": field.authserv_id, **{one.method: one.result for one in field.results}} for field in fields],
}))
`

type Judged = { readonly dkim: boolean; readonly spf: string; readonly results: readonly Record<string, string>[] }

function python(script: string, input: string | Buffer, ...args: readonly string[]): string {
  return execFileSync(DEBIANS_PYTHON, ["-c", script, ...args], { input, encoding: "latin1" })
}

function judged(message: Buffer, by: IpAddress): Judged {
  const text = python(JUDGE, message, JSON.stringify(SENDERS_ZONE), by, HANDED_IN.from, HANDED_IN.helo)
  return JSON.parse(text) as Judged // the script above prints nothing else
}

/** One message through Bob's relay; resolves to what Dave's server has, or would get once it is back. */
async function through(message: string, by: IpAddress, way: "passed" | "kept"): Promise<Buffer> {
  await using dns = await nameServer(SENDERS_ZONE)
  await using hop = await nextHop()
  const checker = new Checker({ name: BOB, nameServers: [dns.at], clock: systemClock, log: silentLog })
  try {
    const there = way === "passed" ? hop : { port: await freePort() }
    await using bob = await startBetween(there, { checker, from: by, carry: { authenticate: true } })
    using client = await SmtpClient.greeted(bob.port)
    const envelope = [`MAIL FROM:<${HANDED_IN.from}> BODY=8BITMIME`, "RCPT TO:<dave@dave.example>", "DATA"]
    await client.says(...envelope)
    client.sends(Buffer.from(`${message.replace(/^\./gm, "..")}.\r\n`, "latin1"))
    expect(await client.reply()).toMatch(/^250 /)
    const [kept] = await bob.spool.list()
    return kept ? await contentOf(bob.spool, kept.id) : (hop.messages[0]?.content ?? Buffer.alloc(0))
  } finally {
    await checker.close()
  }
}

withJudges(["dkimverify"], () => {
  describe.each(["passed", "kept"] as const)("mail that is %s", (way) => {
    test("has its signature whole, and the results that the judges come to", async () => {
      const message = python(SIGN, Buffer.from(DELICATE, "latin1"), CAROLS_KEY)
      expect(judged(Buffer.from(message, "latin1"), CAROL)).toEqual({ dkim: true, spf: "pass", results: [] })
      const results = [{ by: "relay.bob.example", spf: "pass", dkim: "pass", dmarc: "pass" }]
      expect(judged(await through(message, CAROL, way), CAROL)).toEqual({ dkim: true, spf: "pass", results })
    })

    test("and was changed on its way to us is found out, as was whoever forges results", async () => {
      const message = python(SIGN, Buffer.from(DELICATE, "latin1"), CAROLS_KEY).replace("noon", "one")
      const results = [{ by: "relay.bob.example", spf: "fail", dkim: "fail", dmarc: "fail" }]
      expect(judged(await through(FORGED + message, STRANGER, way), STRANGER)).toEqual({
        dkim: false,
        spf: "fail",
        results,
      })
    })
  })
})
