/**
 * An Exim of our own: unpacked rather than installed, because Debian lets only one mail server be installed. The user it
 * insists on exists in a mount namespace of its own, so it needs root, and nothing of the machine is touched.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { judgePath } from "./installed.ts"
import { accepts, freePort } from "./program.ts"

export type Exim = AsyncDisposable & {
  readonly port: number
  log(): string
  mailbox(): readonly string[]
}

type Place = { readonly address: string; readonly port: number }
type Pem = { readonly key: string; readonly cert: string }

/** The final server for a domain, on 127.0.0.1; with a key it offers STARTTLS. */
export async function startExim(domain: string, tls?: Pem): Promise<Exim> {
  const port = await freePort()
  const folder = await eximFolder({ domain, ...(tls && { tls }) })
  const child = spawn(...inOwnMounts(folder, ["-bdf", "-oX", `[127.0.0.1]:${port}`]), { stdio: "ignore" })
  const ended = once(child, "exit")
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`exim ended with ${child.exitCode}: ${await logOf(folder)}`)
    await delay(50)
  }
  return {
    port,
    log: () => readFileSync(join(folder, "mainlog"), "utf8"),
    mailbox: () => mailsIn(join(folder, "inbox")),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM")
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export type Sending = {
  readonly from: string
  readonly to: string
  readonly text: string
  /** `mx`: it asks DNS, and looks at DANE where the answer was validated (RFC 7672). */
  readonly via: Place | "mx"
  /** Refuse to send without TLS. */
  readonly tls?: boolean
  /** The words before the command, as in `ip netns exec alice`. */
  readonly within?: readonly string[]
  /** The address to send from. */
  readonly interface?: string
  /** It connects through this SOCKS 5 port of loopback. */
  readonly socksPort?: number
}

/** Sends one mail and waits for its delivery; resolves to Exim's log, or rejects with it if it was not delivered at once. */
export async function eximSends({ from, to, text, via, tls = false, ...more }: Sending): Promise<string> {
  const { within = [], ...how } = more
  const folder = await eximFolder({ domain: "exim.test", via, requireTls: tls, ...how })
  const [unshare, words] = inOwnMounts(folder, ["-odi", "-i", "-f", from, to])
  const [command = "", ...args] = [...within, unshare, ...words]
  const child = spawn(command, args, { stdio: ["pipe", "ignore", "ignore"] })
  child.stdin.end(`From: ${from}\nTo: ${to}\nSubject: Hello\n\n${text}\n`)
  await once(child, "exit")
  const log = await logOf(folder)
  await rm(folder, { recursive: true, force: true })
  if (!log.includes(`=> ${to}`)) throw new Error(`exim did not deliver:\n${log}`)
  return log
}

/** Numbers that no account of Debian has. */
const EXIM_ID = 64_890
const NAMES = { passwd: `Debian-exim:x:${EXIM_ID}:${EXIM_ID}::/:/bin/false`, group: `Debian-exim:x:${EXIM_ID}:` }

type FolderOptions = {
  readonly domain: string
  readonly tls?: Pem
  readonly via?: Place | "mx"
  readonly requireTls?: boolean
  readonly interface?: string
  readonly socksPort?: number
}

async function eximFolder(options: FolderOptions): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "waypost-exim-"))
  await chmod(folder, 0o755)
  await mkdir(join(folder, "spool"))
  await writeFile(join(folder, "exim.conf"), configuration(folder, options), { mode: 0o644 })
  for (const [file, line] of Object.entries(NAMES)) {
    const known = await readFile(join("/etc", file), "utf8")
    await writeFile(join(folder, file), `${known.replace(/^Debian-exim:.*\n/m, "")}${line}\n`)
  }
  if (options.tls) {
    await writeFile(join(folder, "pair.pem"), options.tls.cert + options.tls.key)
    await chown(join(folder, "pair.pem"), EXIM_ID, EXIM_ID)
  }
  for (const path of [folder, join(folder, "spool")]) await chown(path, EXIM_ID, EXIM_ID)
  return folder
}

function configuration(folder: string, options: FolderOptions): string {
  const { domain, tls, via, requireTls = false } = options
  const place = via === "mx" ? undefined : via
  const router =
    via === "mx"
      ? "driver = dnslookup\n  dnssec_request_domains = *"
      : `driver = manualroute\n  route_list = * ${place?.address ?? "127.0.0.1"} byname`
  return `
primary_hostname = ${domain}
spool_directory = ${folder}/spool
log_file_path = ${folder}/%slog
pid_file_path = ${folder}/pid
keep_environment =
exim_path = ${judgePath("exim4")}
acl_smtp_rcpt = everybody
tls_advertise_hosts = ${tls ? "*" : ""}
${tls ? `tls_certificate = ${folder}/pair.pem` : ""}
begin acl
everybody:
  accept
begin routers
home:
  driver = accept
  domains = ${domain}
  transport = inbox
away:
  ${router}
  self = send
  transport = out
begin transports
inbox:
  driver = appendfile
  file = ${folder}/inbox
  user = Debian-exim
out:
  driver = smtp
  port = ${place?.port ?? 25}
  ${options.socksPort === undefined ? "" : `socks_proxy = 127.0.0.1 port=${options.socksPort}`}
  ${options.interface ? `interface = ${options.interface}` : ""}
  hosts_require_tls = ${requireTls ? "*" : ""}
`
}

function inOwnMounts(folder: string, args: readonly string[]): [command: string, args: string[]] {
  const mounts = Object.keys(NAMES).map((file) => `mount --bind ${folder}/${file} /etc/${file}`)
  const script = `${mounts.join(" && ")} && exec "$0" -C ${folder}/exim.conf "$@"`
  return ["unshare", ["--mount", "sh", "-c", script, judgePath("exim4"), ...args]]
}

function mailsIn(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8")
      .split(/^From .*\n/m)
      .slice(1)
  } catch {
    return [] // nothing has come yet
  }
}

async function logOf(folder: string): Promise<string> {
  const logs = ["mainlog", "paniclog", "rejectlog"].map((name) => readFile(join(folder, name), "utf8").catch(() => ""))
  return (await Promise.all(logs)).join("")
}
