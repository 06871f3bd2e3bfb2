/** Who routes by the name in a ClientHello: each sends `alice.example` to one backend, the other good names to another. */
import { HAPROXY, NGINX, nginxMain, SNIPROXY, startContestant, type Contestant } from "./contestant.ts"
import { startWaypost } from "./waypost.ts"

/** Where the two backends listen, and which names belong to the other. */
export type Names = { readonly alicePort: number; readonly otherPort: number; readonly others: readonly string[] }

/** Started one after the other, by whoever runs the table. */
export const helloRouters: readonly ((names: Names) => Promise<Contestant>)[] = [ours, haproxy, nginx, sniproxy]

function ours({ alicePort, otherPort, others }: Names): Promise<Contestant> {
  const route = (port: number) => `{ https: { mode: dedicated, to: "127.0.0.1:${port}" } }`
  return startWaypost(
    '  https: { bind: ["127.0.0.1:0"], protocol: tls }',
    `  alice: { domains: [alice.example], routes: ${route(alicePort)} }
  other: { domains: ${JSON.stringify(others)}, routes: ${route(otherPort)} }`,
  )
}

function haproxy({ alicePort, otherPort, others }: Names): Promise<Contestant> {
  return startContestant({
    ...HAPROXY,
    config: (port, readyPort) => `
      global
        tune.bufsize 65536
      defaults
        mode tcp
        timeout client 5s
        timeout server 5s
        timeout connect 5s
      frontend ready
        bind 127.0.0.1:${readyPort}
        tcp-request connection reject
      frontend visitors
        bind 127.0.0.1:${port}
        tcp-request inspect-delay 500ms
        tcp-request content accept if { req.ssl_hello_type 1 }
        tcp-request content reject
        use_backend alice if { req.ssl_sni -i ${dotted("alice.example")} }
${others.map((name) => `        use_backend other if { req.ssl_sni -i ${dotted(name)} }`).join("\n")}
      backend alice
        server alice 127.0.0.1:${alicePort}
      backend other
        server other 127.0.0.1:${otherPort}\n`,
  })
}

function nginx({ alicePort, otherPort, others }: Names): Promise<Contestant> {
  return startContestant({
    ...NGINX,
    config: (port, readyPort, folder) => `
      ${nginxMain(folder)}
      stream {
        map_hash_bucket_size 512; preread_timeout 2s; preread_buffer_size 64k;
        map $ssl_preread_server_name $where {
          default 127.0.0.1:1;
          alice.example 127.0.0.1:${alicePort}; alice.example. 127.0.0.1:${alicePort};
          ${others.map((name) => `${name} 127.0.0.1:${otherPort};`).join(" ")}
        }
        server { listen 127.0.0.1:${readyPort}; return ""; }
        server { listen 127.0.0.1:${port}; ssl_preread on; proxy_pass $where; }
      }\n`,
  })
}

function sniproxy({ alicePort, otherPort, others }: Names): Promise<Contestant> {
  return startContestant({
    ...SNIPROXY,
    config: (port, readyPort, folder) => `
      user nobody
      pidfile ${folder}/pid
      error_log {
        filename ${folder}/logs/error.log
      }
      listener 127.0.0.1:${readyPort} {
        protocol tls
        table names
      }
      listener 127.0.0.1:${port} {
        protocol tls
        table names
      }
      table names {
        ${pattern("alice.example")} 127.0.0.1:${alicePort}
${others.map((name) => `        ${pattern(name)} 127.0.0.1:${otherPort}`).join("\n")}
      }\n`,
  })
}

/** sniproxy's tables hold regular expressions of less than 256 bytes: of a long name, the beginning must do. */
function pattern(name: string): string {
  const beginning = name.slice(0, 40).replaceAll(".", "[.]")
  return name.length > 100 ? `^(?i)${beginning}` : `^(?i)${name.replaceAll(".", "[.]")}[.]?$`
}

function dotted(name: string): string {
  return `${name} ${name}.`
}
