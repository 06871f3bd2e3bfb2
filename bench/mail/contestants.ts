/** The backup MXs that are compared: Waypost in both of its ways, and Debian's Postfix, each in front of the same sink. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { startPostfix } from "../../test/support/postfix.ts"
import { freePort } from "../../test/support/program.ts"
import { waitForPort } from "./sink.ts"

export type Contestant = {
  readonly name: string
  readonly port: number
  /** The process whose family's time is counted. */
  readonly pid: number
  stop(): Promise<void>
}

export const DOMAIN = "y.test"

/** Waypost's two ways: mail passes while its sender waits, or every mail is kept first, as Postfix does. */
export const PASSES = "Waypost, cut-through"
export const KEEPS = "Waypost, kept first"
export const POSTFIX = "Postfix"

export async function startWaypostMx(sinkPort: number, name: typeof PASSES | typeof KEEPS): Promise<Contestant> {
  const folder = await mkdtemp(join(tmpdir(), "waypost-bench-mail-"))
  const port = await freePort()
  const file = join(folder, "relay.yaml")
  const config = `
relay: { name: relay.bob.example }
listeners: { smtp: { bind: "127.0.0.1:${port}", protocol: smtp } }
friends:
  dave: { domains: [${DOMAIN}], routes: { smtp: { mode: peer, to: "127.0.0.1:${sinkPort}", cut-through: ${name === PASSES} } } }
`
  await writeFile(file, config)
  const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, "relay", "-c", file], {
    stdio: "ignore",
  })
  await waitForPort(port)
  return {
    name,
    port,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill("SIGTERM")
      if (child.exitCode === null) await once(child, "exit")
      await rm(folder, { recursive: true })
    },
  }
}

export async function startPostfixMx(sinkPort: number): Promise<Contestant> {
  const port = await freePort()
  const postfix = await startPostfix({
    listen: { address: "127.0.0.1", port },
    more: [
      `relay_domains = ${DOMAIN}`,
      `relay_transport = smtp:[127.0.0.1]:${sinkPort}`,
      "default_process_limit = 100",
      "smtpd_client_connection_count_limit = 0",
      "smtpd_client_connection_rate_limit = 0",
      "smtpd_recipient_restrictions = reject_unauth_destination",
      "message_size_limit = 0",
    ],
  })
  await waitForPort(port)
  const pid = Number(await readFile(join(postfix.folder, "queue", "pid", "master.pid"), "utf8"))
  return { name: POSTFIX, port, pid, stop: () => postfix.stop() }
}
