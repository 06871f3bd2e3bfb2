/** A program whose reading is put to the test, started on loopback with a configuration that gives it every chance. */
import { mkdir, writeFile } from "node:fs/promises"
import { runClient } from "../../test/support/client.ts"
import type { Judge } from "../../test/support/installed.ts"
import { freePort, scratchFolder, startProgram } from "../../test/support/program.ts"

export type Contestant = AsyncDisposable & {
  /** With its version, as the table shows it. */
  readonly name: string
  readonly port: number
}

type Configured = {
  readonly program: Judge
  /** What makes it print its version, and where the version is in what it prints. */
  readonly version: { readonly flag: string; readonly pattern: RegExp }
  readonly args: (folder: string) => readonly string[]
  /** The text of its configuration, which must also make it accept connections on `readyPort`. */
  readonly config: (port: number, readyPort: number, folder: string) => string
}

export async function startContestant({ program, version, args, config }: Configured): Promise<Contestant> {
  const folder = await scratchFolder()
  const [port, readyPort] = [await freePort(), await freePort()]
  await mkdir(`${folder.path}/logs`)
  await writeFile(`${folder.path}/conf`, config(port, readyPort, folder.path))
  const { said } = await runClient(program, [version.flag])
  const running = await startProgram(program, args(folder.path), readyPort)
  return {
    name: `${program} ${version.pattern.exec(said)?.[1] ?? "?"}`,
    port,
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

export const HAPROXY = {
  program: "haproxy",
  version: { flag: "-v", pattern: /version ([\d.]+)/ },
  args: (folder: string) => ["-db", "-f", `${folder}/conf`],
} as const

export const NGINX = {
  program: "nginx",
  version: { flag: "-v", pattern: /nginx\/([\d.]+)/ },
  args: (folder: string) => ["-p", folder, "-c", `${folder}/conf`],
} as const

export const SNIPROXY = {
  program: "sniproxy",
  version: { flag: "-V", pattern: /sniproxy ([\d.]+)/ },
  args: (folder: string) => ["-f", "-c", `${folder}/conf`],
} as const

/** What nginx needs before its own blocks to run beside a test. */
export function nginxMain(folder: string): string {
  return `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
    daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/logs/error.log; events {}`
}
