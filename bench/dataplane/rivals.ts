/** The relays that are compared, with the configuration each is given: passthrough by server name, to five services. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { judgePath } from "../../test/support/installed.ts"

/** What the load's services do, in the order of their ports (enum service in load.c). */
export const SERVICES = ["down", "new", "pong", "idle", "up"] as const
export type Service = (typeof SERVICES)[number]

export type Ground = {
  /** For configuration files. */
  readonly folder: string
  /** The relay's. */
  readonly port: number
  /** Of the first service. */
  readonly servicesPort: number
  /** Cores it may use. */
  readonly threads: number
}

export type Rival = {
  /** As `--only` names it. */
  readonly id: string
  readonly name: string
  /** The command line that runs it in the foreground. */
  command(ground: Ground): readonly [string, ...string[]]
}

export const rivals: readonly Rival[] = [
  {
    id: "haproxy",
    name: "HAProxy",
    command: (ground) => haproxy(ground, { frontend: [], global: [] }),
  },
  {
    id: "haproxy-best",
    name: "HAProxy, best",
    // `splice-auto` does not splice these flows; forced, with pipes of 1 MB, it does.
    command: (ground) =>
      haproxy(ground, {
        frontend: ["option splice-request", "option splice-response", "option tcp-smart-accept"],
        global: ["tune.pipesize 1048576"],
        bind: "defer-accept",
      }),
  },
  { id: "nginx", name: "nginx stream", command: nginx },
  { id: "sniproxy", name: "sniproxy", command: sniproxy },
  { id: "native", name: "Waypost, native", command: (ground) => waypost(ground, "native") },
  { id: "javascript", name: "Waypost, JavaScript", command: (ground) => waypost(ground, "javascript") },
]

export function serverName(service: Service): string {
  return `${service}.bench.example`
}

function services({ servicesPort }: Ground): readonly { readonly name: string; readonly port: number }[] {
  return SERVICES.map((service, index) => ({ name: serverName(service), port: servicesPort + index }))
}

type HaproxyOptions = {
  readonly frontend: readonly string[]
  readonly global: readonly string[]
  readonly bind?: string
}

function haproxy(ground: Ground, { frontend, global, bind = "" }: HaproxyOptions): readonly [string, ...string[]] {
  const backends = services(ground).map(({ name, port }) => `backend ${name}\n  server s 127.0.0.1:${port}`)
  const file = written(
    ground,
    "cfg",
    `global
  nbthread ${ground.threads}
  maxconn 8000
  maxpipes 1000
  ${global.join("\n  ")}
defaults
  mode tcp
  timeout client 1h
  timeout server 1h
  timeout connect 5s
  ${frontend.join("\n  ")}
frontend tls
  bind 127.0.0.1:${ground.port} backlog 4096 ${bind}
  tcp-request inspect-delay 5s
  tcp-request content accept if { req.ssl_hello_type 1 }
  use_backend %[req.ssl_sni,lower]
${backends.join("\n")}
`,
  )
  return [judgePath("haproxy"), "-db", "-f", file]
}

function nginx(ground: Ground): readonly [string, ...string[]] {
  const map = services(ground).map(({ name, port }) => `${name} 127.0.0.1:${port};`)
  const file = written(
    ground,
    "conf",
    `load_module modules/ngx_stream_module.so;
worker_processes ${ground.threads}; worker_rlimit_nofile 20000; daemon off; user root;
pid ${ground.folder}/nginx-${ground.port}.pid; error_log ${ground.folder}/nginx-${ground.port}.log;
events { worker_connections 20000; }
stream {
  access_log off; tcp_nodelay on;
  map $ssl_preread_server_name $to { ${map.join(" ")} }
  server { listen 127.0.0.1:${ground.port} backlog=4096 reuseport; ssl_preread on; proxy_pass $to; proxy_timeout 1h; }
}
`,
  )
  return [judgePath("nginx"), "-e", `${ground.folder}/nginx-${ground.port}.log`, "-c", file]
}

function sniproxy(ground: Ground): readonly [string, ...string[]] {
  const table = services(ground).map(({ name, port }) => `  ${name.replaceAll(".", "\\.")} 127.0.0.1:${port}`)
  const file = written(
    ground,
    "conf",
    `pidfile ${ground.folder}/sniproxy-${ground.port}.pid
error_log { filename ${ground.folder}/sniproxy-${ground.port}.log
 priority warn }
listen 127.0.0.1:${ground.port} { proto tls
 table services }
table services {
${table.join("\n")}
}
`,
  )
  return [judgePath("sniproxy"), "-f", "-c", file]
}

function waypost(ground: Ground, engine: "native" | "javascript"): readonly [string, ...string[]] {
  const friends = services(ground).map(
    ({ name, port }) =>
      `  ${name.split(".")[0]}: { domains: [${name}], routes: { https: { mode: dedicated, to: "127.0.0.1:${port}" } } }`,
  )
  const file = written(
    ground,
    "yaml",
    `relay: { name: relay.bench.example, state: ./state-${ground.port} }
listeners:
  https: { bind: ["127.0.0.1:${ground.port}"], protocol: tls }
limits: { connections-max: 20000, connections-per-source-max: 20000, connections-per-friend-max: 20000, idle-deadline: 1h }
friends:
${friends.join("\n")}
`,
  )
  return [process.execPath, join(import.meta.dirname, "relay.ts"), engine, String(ground.threads), file]
}

function written({ folder, port }: Ground, ending: string, text: string): string {
  const file = join(folder, `${port}.${ending}`)
  writeFileSync(file, text)
  return file
}
