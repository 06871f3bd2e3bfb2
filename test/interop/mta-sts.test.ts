/** MTA-STS towards a friend's server, judged by real programs: Knot and Unbound have the record, nginx the policy, Postfix the mailbox. */
import { expect, test } from "@jest/globals"
import { stubResolver } from "../../src/dns/resolver.ts"
import { socketAddress, type SocketAddress } from "../../src/names/endpoint.ts"
import { publishedTls } from "../../src/smtp/trust/published-tls.ts"
import { StsCache } from "../../src/smtp/trust/sts-cache.ts"
import { httpsStsPolicy } from "../../src/smtp/trust/sts-fetch.ts"
import { checked, desk, routeFor, routesOf } from "../support/delivery.ts"
import { withJudges } from "../support/judge.ts"
import { keptLog } from "../support/kept-log.ts"
import { keyPair } from "../support/key-pair.ts"
import { startNginx } from "../support/nginx.ts"
import { startPostfix } from "../support/postfix.ts"
import { freePort } from "../support/program.ts"
import { signedDns } from "../support/signed-dns.ts"

const POLICY = "version: STSv1\\nmode: enforce\\nmx: localhost\\nmax_age: 86400\\n"

withJudges(["knotd", "unbound", "dig", "nginx", "postfix"], () => {
  test("enforce: a certificate for the host that the policy names, and the mail arrives, proved", async () => {
    await using at = await household({})
    await at.desk.gone(await at.desk.mail())
    expect(at.desk.log.all("mail-delivered")[0]).toMatchObject({ proof: "mta-sts" })
    expect(await at.requests()).toEqual([expect.stringContaining("/.well-known/mta-sts.txt")])
  })

  test("enforce: nobody gets mail with a certificate for another name, or under a name that is not in the policy", async () => {
    for (const wrong of [
      { certificate: "mx.eve.example" },
      { page: ok(POLICY.replace("localhost", "mx.dave.example")) },
    ]) {
      await using at = await household(wrong)
      await at.desk.deferred(await at.desk.mail())
      expect(at.desk.log.all("mail-later")[0]).toMatchObject({ code: "HOME_TLS_FAILED" })
    }
  })

  test("a policy is believed only from where it must come: a right certificate, no redirect", async () => {
    for (const wrong of [
      { policyCertificate: "www.dave.example" },
      { page: "return 301 https://www.dave.example/;" },
    ]) {
      await using at = await household({ certificate: "mx.eve.example", ...wrong })
      await at.desk.gone(await at.desk.mail())
      expect(at.log.all("no MTA-STS policy")).toHaveLength(1)
      expect(at.desk.log.all("mail-delivered")[0]).toMatchObject({ proof: undefined })
    }
  })
})

type Asked = { readonly certificate?: string; readonly policyCertificate?: string; readonly page?: string }

/** Dave's Postfix at `localhost`, and all that his domain publishes. */
async function household({ certificate = "localhost", policyCertificate = "mta-sts.dave.example", page }: Asked) {
  await using undo = new AsyncDisposableStack()
  const home = await freePort()
  const [pair, policyPair] = [await keyPair(certificate), await keyPair(policyCertificate)]
  const records = ["localhost. A 127.0.0.1", `_mta-sts.dave.example. TXT "v=STSv1; id=1;"`]
  const dns = stubResolver([place(undo.use(await signedDns(records)).resolver)])
  const server = `location = /.well-known/mta-sts.txt { default_type text/plain; ${page ?? ok(POLICY)} }`
  const nginx = undo.use(await startNginx({ listen: "ssl", tls: policyPair, server }))
  const listen = { address: "127.0.0.1", port: home }
  undo.adopt(await startPostfix({ listen, domains: ["dave.example"], tls: pair }), (it) => it.stop())
  const log = keptLog()
  const fetch = httpsStsPolicy({ port: nginx.port, address: "127.0.0.1", ca: [policyPair.cert] })
  const store = { load: async () => undefined, save: async () => {} }
  const policies = new StsCache({ dns, fetch, store, clock: { now: Date.now, after: () => () => {} }, log })
  const published = publishedTls({
    dns,
    validation: async () => ({ kind: "on" }),
    policyFor: (domain) => policies.policyFor(domain),
  })
  const to = { kind: "tcp", to: [{ host: checked("localhost"), port: home }] } as const
  const at = undo.use(await desk({ routeOf: routesOf(routeFor(to, "published")), published, ca: [pair.cert] }))
  const closing = undo.move()
  return { desk: at, log, requests: () => nginx.requests(), [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

function ok(policy: string): string {
  return `return 200 "${policy}";`
}

function place(text: string): SocketAddress {
  const address = socketAddress(text)
  if (!address) throw new Error(`${text} is no place`)
  return address
}
