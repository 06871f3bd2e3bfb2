import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { waypost } from "../../support/waypost.ts"

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "waypost-check-"))
})

afterAll(() => rm(folder, { recursive: true }))

const HEAD = `relay: { name: relay.bob.example, state: ./state }
listeners:
  https: { bind: ["127.0.0.1:443"], protocol: tls }
  http: { bind: ["127.0.0.1:80"], protocol: http }
`

describe("waypost check", () => {
  test("prints the verdict for every route and exits 0", async () => {
    const file = await configuration(`friends:
  alice:
    promise: sealed
    domains: [alice.example]
    routes:
      https: { mode: dedicated, to: "10.0.0.5:443" }
`)
    const { code, out } = await waypost("check", "-c", file)
    expect(code).toBe(0)
    expect(out).toMatch(/alice\/https/)
    expect(out).toMatch(/WP104 relay-could-become-the-site at alice\/https\n {2}The operator could by an attack answer/)
  })

  test("--why says every verdict in sentences", async () => {
    const { out } = await waypost("check", "--why", "-c", "examples/first-relay.yaml")
    expect(out).toMatch(/^alice\/https: dedicated by SNI/)
    expect(out.replaceAll(/\s+/g, " ")).toContain(
      "The operator cannot read Alice's web traffic, because TLS ends at Alice's box.",
    )
    expect(out.replaceAll(/\s+/g, " ")).toContain(
      "The operator can read Dave's mail, because the connection ends at the operator's relay",
    )
  })

  test("exits 1 when a promise is broken and says which", async () => {
    const file = await configuration(`friends:
  alice:
    promise: sealed
    domains: [alice.example]
    routes:
      http: { mode: peer, to: "10.0.0.5:80" }
`)
    const { code, out } = await waypost("check", "-c", file)
    expect(code).toBe(1)
    expect(out.replaceAll("\n", " ")).toMatch(/Alice was promised .* but alice\/http does/)

    const { code: sameCode, out: json } = await waypost("check", "-c", file, "--json")
    expect(sameCode).toBe(1)
    expect(JSON.parse(json)).toMatchObject({
      verdicts: [{ friend: "alice", listener: "http", findings: { read: { level: "yes" } } }],
      broken: [{ route: "alice/http", promise: "sealed" }],
    })
  })

  test("prints faults as a compiler does and exits 78", async () => {
    const file = await configuration(`friends:
  alice:
    domains: [alice.example]
    routes:
      https: { mode: dedicatd, to: "10.0.0.5:443" }
`)
    const { code, out } = await waypost("check", "-c", file)
    expect(code).toBe(78)
    expect(out).toMatch(/^\S+\.yaml:9:\d+: .*dedicatd/)

    const { code: sameCode, out: json } = await waypost("check", "-c", file, "--json")
    expect(sameCode).toBe(78)
    expect(JSON.parse(json)).toMatchObject({ faults: [{ line: 9 }] })
  })

  test("names a file that is not there", async () => {
    expect(await waypost("check", "-c", join(folder, "none.yaml"))).toEqual({
      code: 1,
      out: "",
      err: `waypost: ${join(folder, "none.yaml")}: there is no such file\n`,
    })
  })

  test("asks for the file when none is given", async () => {
    expect(await waypost("check")).toMatchObject({ code: 2, err: expect.stringMatching(/config/) })
  })
})

let count = 0

async function configuration(friends: string): Promise<string> {
  const file = join(folder, `relay-${++count}.yaml`)
  await writeFile(file, HEAD + friends)
  return file
}

describe("waypost check --dns", () => {
  const MAIL = `relay: { name: relay.bob.example, state: ./state }
listeners: { smtp: { bind: ["127.0.0.1:25"], protocol: smtp } }
friends: { alice: { domains: [mx.alice.example], routes: { smtp: { mode: dedicated, to: "127.0.0.1:1" } } } }
`

  test("prints zone lines and the policy to paste; all else is a comment", async () => {
    const file = join(folder, "mail.yaml")
    await writeFile(file, MAIL)
    const { code, out } = await waypost("check", "--dns", "-c", file)
    expect(code).toBe(0)
    const pasted = out.split("\n").filter((line) => !/^[;#]|^$/.test(line))
    expect(pasted).toEqual([
      "alice.example.             MX    10 mx.alice.example.",
      "mx.alice.example.          A     127.0.0.1",
      expect.stringMatching(/^_mta-sts\.alice\.example\. {4}TXT {3}"v=STSv1; id=[0-9a-f]{20}"$/),
      '_smtp._tls.alice.example.  TXT   "v=TLSRPTv1; rua=mailto:postmaster@alice.example"',
      "version: STSv1",
      "mode: testing",
      "mx: mx.alice.example",
      "max_age: 604800",
    ])
    const { out: json } = await waypost("check", "--dns", "--json", "-c", file)
    expect(JSON.parse(json)).toMatchObject([{ friend: "alice", domain: "alice.example", host: "mx.alice.example" }])
  })

  test("says so where no mail is carried", async () => {
    const file = await configuration("")
    expect((await waypost("check", "--dns", "-c", file)).out).toMatch(/^; No mail is carried/)
  })
})
