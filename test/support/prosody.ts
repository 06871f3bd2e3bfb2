/** A Prosody of our own: XMPP for one domain on loopback, with TLS required. */
import { chmod, mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { KeyPair } from "./key-pair.ts"
import { freePort, scratchFolder, startProgram } from "./program.ts"

export type Prosody = AsyncDisposable & { readonly port: number }

/** `user` logs in with the password `secret`. */
export async function startProsody(domain: string, user: string, pair: KeyPair): Promise<Prosody> {
  await using undo = new AsyncDisposableStack()
  const { path: folder } = undo.use(await scratchFolder())
  await chmod(folder, 0o755)
  const accounts = join(folder, "data", domain.replaceAll(".", "%2e"), "accounts")
  await mkdir(accounts, { recursive: true })
  await writeFile(join(accounts, `${user}.dat`), 'return { ["password"] = "secret"; };\n')
  await writeFile(join(folder, "key.pem"), pair.key, { mode: 0o600 })
  await writeFile(join(folder, "cert.pem"), pair.cert)
  const port = await freePort()
  await writeFile(join(folder, "prosody.cfg.lua"), configuration(folder, domain, port))
  undo.use(await startProgram("prosody", ["-F", "--config", join(folder, "prosody.cfg.lua")], port))
  const closing = undo.move()
  return { port, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

function configuration(folder: string, domain: string, port: number): string {
  return `
run_as_root = true
pidfile = "${folder}/pid"
data_path = "${folder}/data"
interfaces = { "127.0.0.1" }
c2s_ports = { ${port} }
s2s_ports = {}
http_ports = {}
https_ports = {}
modules_enabled = { "tls", "saslauth", "disco" }
modules_disabled = { "s2s", "posix" }
c2s_require_encryption = true
authentication = "internal_plain"
log = { { levels = { min = "info" }, to = "file", filename = "${folder}/log" } }
VirtualHost "${domain}"
  ssl = { key = "${folder}/key.pem", certificate = "${folder}/cert.pem" }
`
}
