/**
 * Alice's box behind her NAT and Bob's relay on the public side of it: real programs in network namespaces, started as
 * their owners start them. Its folder holds `relay.yaml` and `box.yaml`; `await using` ends everything.
 */
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { recorderArguments, RECORDING_VARIABLE } from "../../src/lab/recorder/recording.ts"
import { makeInternet, publicAddress, type HostName, type Internet } from "./namespaces.ts"
import { eventually } from "./eventually.ts"

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
const ALICES = "alice.example"

/** Which relays there are: each in a namespace of its name. */
export type RelayHost = "relay" | "relay2"

export type Household = AsyncDisposable & {
  readonly internet: Internet
  readonly folder: string
  /** Starts a program on a host; `ended` by `stop`, or with the household. */
  start(host: HostName, command: string, ...args: readonly string[]): Started
  /**
   * `waypost relay` with the configuration text, in which AT stands for the host's public address and HOST for itself.
   * `recording`: it runs under the recorder, which sees all of the JavaScript engine, and this is where the record goes.
   */
  relay(host: RelayHost, configuration: string, recording?: string): Promise<Started>
  /** `waypost invite` at the relay, `waypost join` at home without running the box; resolves to what join printed. */
  join(host: RelayHost, ...more: readonly string[]): Promise<string>
  /** `waypost join` at home with this line, for a file in the household's folder, without running the box. */
  joinWith(line: string, file: string, ...more: readonly string[]): Promise<Finished>
  /** `waypost box`, with another file of the household's folder if one is named; resolves at once. */
  box(file?: string): Started
  readonly boxFile: string
  /** What `waypost box status` says. */
  status(): Promise<Finished>
  invite(host: RelayHost, ...more: readonly string[]): Promise<string>
}

export type Finished = { readonly code: number | null; readonly out: string }

export type Started = {
  readonly child: ChildProcess
  /** Everything it has written so far. */
  said(): string
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** Needs what `whyNoNamespaces` looks for. */
export async function household(network?: string): Promise<Household> {
  const internet = makeInternet(network)
  const folder = await mkdtemp(join(tmpdir(), "waypost-household-"))
  const boxFile = join(folder, "box.yaml")
  const running: Started[] = []
  const waypost = (host: HostName, ...words: readonly string[]) => start(host, process.execPath, MAIN, ...words)
  const relayFile = (host: RelayHost) => join(folder, `${host}.yaml`)

  function start(host: HostName, command: string, ...args: readonly string[]): Started {
    const started = watched(internet.spawn(host, command, ...args))
    running.push(started)
    return started
  }

  async function finished(started: Started): Promise<Finished> {
    if (started.child.exitCode === null) await once(started.child, "close")
    return { code: started.child.exitCode, out: started.said() }
  }

  const invite = async (host: RelayHost, ...more: readonly string[]) => {
    const { out } = await finished(waypost("relay", "invite", "alice", "-c", relayFile(host), ...more))
    const line = out.split("\n").find((candidate) => candidate.startsWith("waypost:"))
    if (line === undefined) throw new Error(`no invitation:\n${out}`)
    return line
  }

  const joinWith = async (line: string, file: string, ...more: readonly string[]) => {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    const joining = waypost("box", "join", "-c", join(folder, file), "--no-run", ...more)
    joining.child.stdin?.end(`${line}\n`)
    return finished(joining)
  }

  return {
    internet,
    folder,
    start,
    boxFile,
    invite,
    relay: async (host, configuration, recording) => {
      await writeFile(
        relayFile(host),
        configuration.replaceAll("AT", publicAddress(host, network)).replaceAll("HOST", host),
      )
      const words = [MAIN, "relay", "-c", relayFile(host)]
      const relay =
        recording === undefined
          ? start(host, process.execPath, ...words)
          : start(host, "env", `${RECORDING_VARIABLE}=${recording}`, ...recorded(words))
      await eventually("the relay has started", () => relay.said().includes('"started"') || ended(relay))
      if (ended(relay)) throw new Error(`the relay ended:\n${relay.said()}`)
      return relay
    },
    joinWith,
    join: async (host, ...more) => {
      const { code, out } = await joinWith(await invite(host), "box.yaml", ...more)
      if (code !== 0) throw new Error(`join ended with ${code}:\n${out}`)
      return out
    },
    box: (file = "box.yaml") => waypost("box", "box", "-c", join(folder, file)),
    status: () => finished(waypost("box", "box", "status", "-c", boxFile)),
    async [Symbol.asyncDispose]() {
      for (const started of running.toReversed()) await started.stop("SIGKILL")
      internet.remove()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The command line of a program whose sockets are recorded; what the native engine moves no recorder sees. */
function recorded(words: readonly string[]): readonly string[] {
  return [process.execPath, ...recorderArguments(), ...words, "--engine", "javascript"]
}

function watched(child: ChildProcess): Started {
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (piece: string) => (output += piece))
  }
  const closed = once(child, "close")
  return {
    child,
    said: () => output,
    stop: async (signal = "SIGTERM") => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      await closed
    },
  }
}

function ended({ child }: Started): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** A configuration in which Alice's names, and what else is given, lead to her box. */
export function relayText({ listeners = "", routes = "", friend = "" } = {}): string {
  return `
relay: { name: HOST.bob.example, state: ./state-HOST }
listeners:
  https: { bind: ["AT:443"], protocol: tls }
  tunnel: { bind: ["AT:7443"], protocol: tunnel }
${listeners}
friends:
  alice:
    domains: [${ALICES}]
    ${friend}
    routes:
      https: { mode: dedicated, to: box }
${routes}
`
}

/** A web server at Alice's home that answers with her certificate and the address that the PROXY header names. */
export async function nginxText(folder: string, pair: { readonly key: string; readonly cert: string }, port = 443) {
  await writeFile(join(folder, "web-key.pem"), pair.key, { mode: 0o600 })
  await writeFile(join(folder, "web-cert.pem"), pair.cert)
  const file = join(folder, "nginx.conf")
  await writeFile(
    file,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;
events {}
http {
  access_log off;
  server {
    listen 127.0.0.1:${port} ssl http2 proxy_protocol;
    ssl_certificate ${folder}/web-cert.pem;
    ssl_certificate_key ${folder}/web-key.pem;
    location / { return 200 "Alice's page for $proxy_protocol_addr\\n"; }
    location /how { return 200 "$proxy_protocol_addr came by $server_protocol\\n"; }
  }
}
`,
  )
  return file
}
