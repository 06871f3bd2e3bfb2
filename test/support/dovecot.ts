/** A Dovecot of our own: IMAP and ManageSieve on loopback, behind a relay that says by PROXY who comes. It needs root. */
import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises"
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import type { KeyPair } from "./key-pair.ts"
import { freePort, scratchFolder, startProgram } from "./program.ts"

export type Dovecot = AsyncDisposable & {
  readonly imapPort: number
  readonly sievePort: number
  log(): Promise<string>
}

/** Anybody logs in with the password `secret`. */
export async function startDovecot(pair: KeyPair): Promise<Dovecot> {
  await using undo = new AsyncDisposableStack()
  const { path: folder } = undo.use(await scratchFolder())
  await chmod(folder, 0o755)
  const [uid, gid] = ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, "dovecot"], { encoding: "utf8" })))
  for (const name of ["run", "state", "mail", "home"]) await mkdir(join(folder, name))
  for (const name of ["mail", "home"]) await chown(join(folder, name), uid ?? 0, gid ?? 0)
  await writeFile(join(folder, "key.pem"), pair.key, { mode: 0o600 })
  await writeFile(join(folder, "cert.pem"), pair.cert)
  const ports = { imapPort: await freePort(), sievePort: await freePort() }
  await writeFile(join(folder, "dovecot.conf"), configuration(folder, ports))
  undo.use(await startProgram("dovecot", ["-F", "-c", join(folder, "dovecot.conf")], ports.imapPort))
  const closing = undo.move()
  return {
    ...ports,
    log: () => readFile(join(folder, "log"), "utf8"),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

function configuration(folder: string, { imapPort, sievePort }: { imapPort: number; sievePort: number }): string {
  return `
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${folder}/log
protocols = imap sieve
listen = 127.0.0.1
haproxy_trusted_networks = 127.0.0.0/8
ssl = required
ssl_cert = <${folder}/cert.pem
ssl_key = <${folder}/key.pem
mail_location = maildir:${folder}/mail
first_valid_uid = 1
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=dovecot gid=dovecot home=${folder}/home
}
service imap-login {
  chroot =
  inet_listener imap {
    port = ${imapPort}
    haproxy = yes
  }
  inet_listener imaps {
    port = 0
  }
}
service managesieve-login {
  chroot =
  inet_listener sieve {
    port = ${sievePort}
    haproxy = yes
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
`
}
