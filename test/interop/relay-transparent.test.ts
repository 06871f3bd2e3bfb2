/** Is `waypost relay` in the way of TLS? sslscan examines Alice's server directly and through the relay, and must not notice. */
import { expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair } from "../support/key-pair.ts"
import { startNginx } from "../support/nginx.ts"
import { startPostfix } from "../support/postfix.ts"
import { freePort } from "../support/program.ts"
import { startRelayProgram } from "../support/relay-program.ts"

withJudges(["sslscan", "nginx", "postfix"], () => {
  test("sslscan finds the same of her web server, found by SNI", async () => {
    await using alice = await startNginx({
      listen: "ssl http2",
      tls: await keyPair("www.alice.example"),
      server: "ssl_protocols TLSv1.2 TLSv1.3;",
    })
    await using relay = await startRelayProgram(
      leadingTo("https", 'bind: "127.0.0.1:0", protocol: tls', `127.0.0.1:${alice.port}`),
    )
    const asking = ["--sni-name=www.alice.example"]
    const [direct, relayed] = [await scan(alice.port, asking), await scan(relay.port("https"), asking)]
    expect(direct).toContain("Preferred TLSv1.3")
    expect(relayed).toBe(direct)
  })

  test("sslscan finds the same of her mail server, found by the relay's address", async () => {
    const port = await freePort()
    const alice = await startPostfix({ listen: { address: "127.0.0.1", port }, tls: await keyPair("mx.alice.example") })
    await using _stop = { [Symbol.asyncDispose]: () => alice.stop() }
    await using relay = await startRelayProgram(
      leadingTo("smtp", 'bind: "127.0.0.1:0", protocol: smtp, friend: alice', `127.0.0.1:${port}`),
    )
    const [direct, relayed] = [
      await scan(port, ["--starttls-smtp"]),
      await scan(relay.port("smtp"), ["--starttls-smtp"]),
    ]
    expect(direct).toContain("Preferred TLSv1.3")
    expect(relayed).toBe(direct)
  })
})

function leadingTo(listener: string, how: string, to: string): string {
  return `
listeners:
  ${listener}: { ${how} }
friends:
  alice:
    promise: sealed
    domains: [www.alice.example]
    routes:
      ${listener}: { mode: dedicated, to: "${to}" }
`
}

/** Its whole report; only the port it was sent to is made the same. */
async function scan(port: number, more: readonly string[]): Promise<string> {
  const run = await runClient("sslscan", ["--no-colour", "--show-certificate", ...more, `127.0.0.1:${port}`])
  expect(run).toMatchObject({ exitCode: 0 })
  return run.said.replaceAll(new RegExp(`\\b${port}\\b`, "g"), "PORT")
}
