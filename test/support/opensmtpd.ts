/**
 * An OpenSMTPD of our own that only sends: unpacked rather than installed, because Debian lets only one mail server be
 * installed. Its users and folders exist in a mount namespace of its own, so it needs root.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmod, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { eventually } from "./eventually.ts"
import { judgePath } from "./installed.ts"
import { scratchFolder } from "./program.ts"

export type OpenSmtpd = AsyncDisposable & {
  /** Where it takes mail to send, on 127.0.0.1. */
  readonly port: number
  log(): string
}

/** Numbers that no account of Debian has. */
const USERS = { opensmtpd: 64_891, opensmtpq: 64_892 }

/** `within`: the words before the command, as in `ip netns exec carol`; `from` and `to`: its own address and that of the next host. */
export async function startOpenSmtpd(options: {
  readonly within: readonly string[]
  readonly from: string
  readonly to: string
  readonly port: number
}): Promise<OpenSmtpd> {
  await using undo = new AsyncDisposableStack()
  const { within, from, to, port } = options
  const { path: folder } = undo.use(await scratchFolder())
  await chmod(folder, 0o755)
  const file = join(folder, "smtpd.conf")
  await writeFile(
    file,
    `listen on 127.0.0.1 port ${port}\naction "out" relay host "smtp://${to}" src ${from}\nmatch from any for any action "out"\n`,
  )
  for (const [name, line] of [
    ["passwd", (user: string, id: number) => `${user}:x:${id}:${id}::/var/lib/opensmtpd/empty:/bin/false`],
    ["group", (user: string, id: number) => `${user}:x:${id}:`],
  ] as const) {
    const added = Object.entries(USERS).map(([user, id]) => `${line(user, id)}\n`)
    await writeFile(join(folder, name), `${await readFile(join("/etc", name), "utf8")}${added.join("")}`)
  }
  const script = [
    ...["passwd", "group"].map((name) => `mount --bind ${folder}/${name} /etc/${name}`),
    ...["/var/spool", "/var/lib", "/run"].map((place) => `mount -t tmpfs none ${place}`),
    "mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd",
    "chmod 711 /var/spool/smtpd",
    `exec "$0" -d -f ${file}`,
  ].join(" && ")
  const inOwnMounts = [...within, "unshare", "--mount", "sh", "-c", script, judgePath("smtpd")]
  const child = spawn("env", inOwnMounts, { stdio: ["ignore", "pipe", "pipe"] })
  let output = ""
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece: Buffer) => (output += piece.toString()))
  undo.defer(async () => {
    const gone = once(child, "close")
    child.kill("SIGTERM")
    await gone
  })
  await eventually("OpenSMTPD has started", () => {
    if (child.exitCode !== null) throw new Error(`OpenSMTPD ended:\n${output}`)
    return output.includes("starting")
  })
  const closing = undo.move()
  return { port, log: () => output, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}
