/**
 * A Postfix of our own: its configuration, queue and mailboxes in a folder of its own under the temporary folder, its
 * services on a loopback port, never the system's instance. It needs root, as Postfix's master does.
 */
import { execFileSync } from "node:child_process"
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"

export type PostfixOptions = {
  /** What it listens on; none: it only sends. */
  readonly listen?: { readonly address: string; readonly port: number }
  /** It is the final server for these domains; mail to anybody there is kept. */
  readonly domains?: readonly string[]
  /** It wants a PROXY header (v1 or v2) before it greets. */
  readonly proxy?: boolean
  /** PEM files for STARTTLS. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Lines of main.cf behind ours: `name = value`. */
  readonly more?: readonly string[]
  /** The words before every command, as in `ip netns exec alice`. */
  readonly within?: readonly string[]
  /** Its client's connections go through this SOCKS 5 port of loopback, as docs/configuration.md says how. */
  readonly socksPort?: number
  /** Where mail for a domain goes, as in transport(5): `alice.example smtp:[127.0.0.2]:2525`. */
  readonly transport?: readonly string[]
}

export type Postfix = {
  readonly folder: string
  /** Gives it a message to send, as a user on its host would. */
  submit(mail: { readonly from: string; readonly to: string; readonly subject: string; readonly text: string }): void
  /** Everything it has logged. */
  log(): Promise<string>
  /** The messages it has kept, whole. */
  mailbox(): Promise<readonly string[]>
  stop(): Promise<void>
}

export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  const folder = await mkdtemp(join(tmpdir(), "waypost-postfix-"))
  await chmod(folder, 0o755)
  const conf = join(folder, "conf")
  const mail = join(folder, "mail")
  for (const name of [conf, join(folder, "queue"), join(folder, "data"), mail]) await mkdir(name)
  const [uid, gid] = ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, "postfix"], { encoding: "utf8" })))
  await chown(join(folder, "data"), uid ?? 0, gid ?? 0)
  await chown(mail, uid ?? 0, gid ?? 0)
  await writeFile(join(conf, "main.cf"), mainCf(folder, options, uid ?? 0, gid ?? 0))
  await writeFile(join(conf, "master.cf"), masterCf(folder, options))
  await writeFile(join(conf, "transport"), (options.transport ?? []).join("\n"))
  await writeFile(join(conf, "mailboxes"), (options.domains ?? []).map((domain) => `@${domain} inbox/`).join("\n"))
  if (options.socksPort !== undefined) await writeThroughSocks(folder, options.socksPort)
  if (options.tls) {
    await writeFile(join(conf, "key.pem"), options.tls.key, { mode: 0o600 })
    await writeFile(join(conf, "cert.pem"), options.tls.cert)
  }
  const logFile = join(folder, "log")
  const log = () => readFile(logFile, "utf8").catch(() => "")
  const postfix = (...args: readonly string[]) => {
    const [program = "postfix", ...words] = [...(options.within ?? []), "postfix", "-c", conf, ...args]
    execFileSync(program, words, { stdio: "pipe" })
  }
  postfix("start")
  return {
    folder,
    log,
    submit: ({ from, to, subject, text }) => {
      const input = `From: ${from}\nTo: ${to}\nSubject: ${subject}\n\n${text}\n`
      const words = [...(options.within ?? []), "sendmail", "-C", conf, "-i", "-f", from, to]
      execFileSync("env", words, { input }) // env(1) runs what follows, whichever word comes first
    },
    mailbox: async () => {
      const inbox = join(mail, "inbox", "new")
      const names = await readdir(inbox).catch(() => [])
      return Promise.all(names.map((name) => readFile(join(inbox, name), "utf8")))
    },
    stop: async () => {
      postfix("stop")
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function mainCf(folder: string, options: PostfixOptions, uid: number, gid: number): string {
  const lines = [
    "compatibility_level = 3.6",
    `queue_directory = ${folder}/queue`,
    `data_directory = ${folder}/data`,
    `maillog_file = ${folder}/log`,
    `maillog_file_prefixes = ${tmpdir()}`,
    "myhostname = postfix.test",
    "mydestination =",
    "mynetworks = 127.0.0.0/8",
    "alias_maps =",
    "alternate_config_directories =",
    "multi_instance_directories =",
    "inet_protocols = all",
    "inet_interfaces = all",
    "smtp_host_lookup = native",
    "disable_dns_lookups = yes",
    "minimal_backoff_time = 5s",
    "maximal_backoff_time = 10s",
    "queue_run_delay = 5s",
    `transport_maps = texthash:${folder}/conf/transport`,
    `virtual_mailbox_domains = ${(options.domains ?? []).join(" ")}`,
    `virtual_mailbox_base = ${folder}/mail`,
    `virtual_mailbox_maps = texthash:${folder}/conf/mailboxes`,
    `virtual_uid_maps = static:${uid}`,
    `virtual_gid_maps = static:${gid}`,
    "virtual_minimum_uid = 1",
    ...(options.tls
      ? [
          `smtpd_tls_key_file = ${folder}/conf/key.pem`,
          `smtpd_tls_cert_file = ${folder}/conf/cert.pem`,
          "smtpd_tls_security_level = may",
          "smtpd_tls_loglevel = 1",
        ]
      : []),
  ]
  const more = options.more ?? []
  const isSaidAgain = (line: string) => more.some((other) => nameOf(other) === nameOf(line))
  return [...lines.filter((line) => !isSaidAgain(line)), ...more, ""].join("\n")
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf("=")).trim()
}

/** A command in the place of smtp(8) whose connections proxychains makes. */
async function writeThroughSocks(folder: string, port: number): Promise<void> {
  const [command, settings] = [join(folder, "smtp-out"), join(folder, "smtp-out.conf")]
  await writeFile(settings, `strict_chain\nquiet_mode\n[ProxyList]\nsocks5 127.0.0.1 ${port}\n`)
  const program = join(daemonFolder(), "smtp")
  await writeFile(command, `#!/bin/sh\nexec proxychains4 -f ${settings} ${program} "$@"\n`, { mode: 0o755 })
}

function daemonFolder(): string {
  return execFileSync("postconf", ["-dh", "daemon_directory"], { encoding: "utf8" }).trim()
}

function masterCf(folder: string, { listen, proxy, socksPort }: PostfixOptions): string {
  const client = socksPort === undefined ? "smtp" : join(relative(daemonFolder(), folder), "smtp-out")
  const upstream = proxy ? " -o smtpd_upstream_proxy_protocol=haproxy" : ""
  const lines = [
    ...(listen ? [`${bracketed(listen.address)}:${listen.port} inet n - n - - smtpd${upstream}`] : []),
    "pickup unix n - n 1 1 pickup",
    "cleanup unix n - n - 0 cleanup",
    "qmgr unix n - n 5 1 qmgr",
    "tlsmgr unix - - n 1000? 1 tlsmgr",
    "rewrite unix - - n - - trivial-rewrite",
    "bounce unix - - n - 0 bounce",
    "defer unix - - n - 0 bounce",
    "trace unix - - n - 0 bounce",
    "proxymap unix - - n - - proxymap",
    `smtp unix - - n - - ${client}`,
    "relay unix - - n - - smtp",
    "error unix - - n - - error",
    "retry unix - - n - - error",
    "discard unix - - n - - discard",
    "virtual unix - n n - - virtual",
    "anvil unix - - n - 1 anvil",
    "scache unix - - n - 1 scache",
    "postlog unix-dgram n - n - 1 postlogd",
  ]
  return `${lines.join("\n")}\n`
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address
}
