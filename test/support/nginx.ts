/** An nginx of our own, in the foreground: configuration, log and files in a scratch folder. */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { KeyPair } from "./key-pair.ts"
import { freePort, scratchFolder, startProgram } from "./program.ts"

export type Nginx = AsyncDisposable & {
  readonly port: number
  /** A line for each request: the address the client had, by the connection and by a PROXY header; the path. */
  requests(): Promise<readonly string[]>
}

export type NginxOptions = {
  /** Behind `listen 127.0.0.1:port`: `ssl`, `proxy_protocol`. */
  readonly listen?: string
  readonly tls?: KeyPair
  /** Into the server block. */
  readonly server?: string
  /** By name; served as they are. */
  readonly files?: Readonly<Record<string, string | Buffer>>
}

export async function startNginx({ listen = "", tls, server = "", files = {} }: NginxOptions): Promise<Nginx> {
  await using undo = new AsyncDisposableStack()
  const { path } = undo.use(await scratchFolder())
  const port = await freePort()
  await mkdir(join(path, "www"))
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, "www", name), content)
  if (tls) {
    await writeFile(join(path, "key.pem"), tls.key)
    await writeFile(join(path, "cert.pem"), tls.cert)
  }
  const keys = tls ? `ssl_certificate ${path}/cert.pem; ssl_certificate_key ${path}/key.pem;` : ""
  await writeFile(
    join(path, "nginx.conf"),
    `daemon off; pid ${path}/pid; error_log stderr; worker_processes 1; user root;
events {}
http {
  log_format seen "$remote_addr $proxy_protocol_addr $request_uri";
  access_log ${path}/requests seen;
  server { listen 127.0.0.1:${port} ${listen}; root ${path}/www; ${keys} ${server} }
}
`,
  )
  undo.use(await startProgram("nginx", ["-e", "stderr", "-c", `${path}/nginx.conf`], port))
  const closing = undo.move()
  return {
    port,
    requests: async () => (await readFile(join(path, "requests"), "utf8")).split("\n").slice(0, -1),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}
