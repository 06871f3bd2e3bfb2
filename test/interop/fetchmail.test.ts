/**
 * A server that asks for its mail, as Debian's fetchmail does it: ODMR (ATRN, RFC 2645), which logs in and has the
 * connection turned round, and ETRN (RFC 1985). Dave's smtp-sink or the relay's own log say what came of it.
 */
import { readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { eventually } from "../support/eventually.ts"
import { withJudges } from "../support/judge.ts"
import { freePort, scratchFolder, startProgram } from "../support/program.ts"
import { startRelayProgram, type RelayProgram } from "../support/relay-program.ts"

const SECRET = "0f4c1d2e3b5a69788796a5b4c3d2e1f0"

withJudges(["fetchmail", "smtp-sink", "swaks"], () => {
  test("ODMR: fetchmail logs in with CRAM-MD5 and has what waited, a notice among it", async () => {
    await using folder = await scratchFolder()
    await using relay = await startRelayProgram(await daveFetches(folder.path))
    for (const from of ["carol@carol.example", "<>"]) await write(relay, from)
    const sink = await freePort()
    const dump = join(folder.path, "mail.%M.")
    await using _sink = await startProgram("smtp-sink", ["-u", "root", "-d", dump, `127.0.0.1:${sink}`, "100"], sink)
    const said = await fetch(
      folder.path,
      relay,
      `protocol ODMR port ${relay.port("odmr")} auth cram-md5
      username "dave" password "${SECRET}" sslproto "" fetchdomains dave.example smtphost "127.0.0.1/${sink}"`,
    )
    await eventually("both are there", async () => (await dumped(folder.path)).length === 2)
    const mails = await dumped(folder.path)
    expect(mails.filter((mail) => mail.includes("Are you there?"))).toHaveLength(2)
    await eventually("nothing waits", () => relay.log.filter(({ msg }) => msg === "mail-delivered").length === 2)
    expect(said).not.toMatch(/refus|fail/i)
  })

  test("ODMR: a wrong secret gets nothing", async () => {
    await using folder = await scratchFolder()
    await using relay = await startRelayProgram(await daveFetches(folder.path))
    await write(relay, "carol@carol.example")
    await fetch(
      folder.path,
      relay,
      `protocol ODMR port ${relay.port("odmr")} auth cram-md5
      username "dave" password "another" sslproto "" fetchdomains dave.example smtphost "127.0.0.1/1"`,
    )
    await relay.logged("mail-refused", { code: "LOGIN_WRONG" })
    expect(relay.log.some(({ msg }) => msg === "mail-delivered")).toBe(false)
  })

  test("ETRN: fetchmail asks from Dave's address, and the relay connects to his server at once", async () => {
    await using folder = await scratchFolder()
    const home = await freePort()
    await using relay = await startRelayProgram(daveIsWoken(home, "127.0.0.1"))
    await write(relay, "carol@carol.example")
    await relay.logged("mail-later", { code: "HOME_AWAY" })
    await using _sink = await startProgram("smtp-sink", ["-u", "root", `127.0.0.1:${home}`, "100"], home)
    const said = await fetch(
      folder.path,
      relay,
      `protocol ETRN port ${relay.port("smtp")} sslproto "" fetchdomains dave.example`,
    )
    await relay.logged("mail-delivered", { recipient: "dave@dave.example" })
    expect(said).toMatch(/Queuing for dave.example started/)
  })

  test("ETRN: from elsewhere the relay does not know the word", async () => {
    await using folder = await scratchFolder()
    await using relay = await startRelayProgram(daveIsWoken(await freePort(), "203.0.113.9"))
    await write(relay, "carol@carol.example")
    const said = await fetch(
      folder.path,
      relay,
      `protocol ETRN port ${relay.port("smtp")} sslproto "" fetchdomains dave.example`,
    )
    expect(said).toMatch(/doesn't support ETRN|does not support ETRN|not support/i)
  })
})

async function daveFetches(folder: string): Promise<string> {
  await writeFile(join(folder, "dave.secret"), `${SECRET}\n`, { mode: 0o600 })
  return `
listeners:
  smtp: { bind: "127.0.0.1:0", protocol: smtp }
  odmr: { bind: "127.0.0.1:0", protocol: smtp, odmr: true }
friends:
  dave:
    domains: [dave.example]
    odmr-secret-file: ${join(folder, "dave.secret")}
    routes:
      smtp: { mode: peer, to: box }
`
}

function daveIsWoken(home: number, from: string): string {
  return `
listeners:
  smtp: { bind: "127.0.0.1:0", protocol: smtp }
friends:
  dave:
    domains: [dave.example]
    wake-from: [${from}]
    routes:
      smtp: { mode: peer, to: "127.0.0.1:${home}" }
`
}

async function write(relay: RelayProgram, from: string): Promise<void> {
  const server = ["--server", "127.0.0.1", "--port", String(relay.port("smtp")), "--from", from]
  const { exitCode } = await runClient("swaks", [...server, "--to", "dave@dave.example", "--body", "Are you there?"])
  expect(exitCode).toBe(0)
}

/** Runs it once, with a file of its own; what it says. */
async function fetch(folder: string, _relay: RelayProgram, how: string): Promise<string> {
  const file = join(folder, "fetchmailrc")
  await writeFile(file, `poll 127.0.0.1 ${how}\n`, { mode: 0o600 })
  return (
    await runClient("fetchmail", ["-v", "-v", "--nodetach", "--nosyslog", "-f", file, "--pidfile", join(folder, "pid")])
  ).said
}

async function dumped(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith("mail."))
  return Promise.all(names.map((name) => readFile(join(folder, name), "utf8")))
}
