/** Runs `nft`, which speaks to the kernel for us (nft(8)). It needs CAP_NET_ADMIN; what is asked of it names our table alone. */
import { execFile } from "node:child_process"

/** Ours: it answers in milliseconds, unless something holds the kernel's lock. */
const NFT_DEADLINE_MS = 10_000
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

export type NftAnswer =
  | { readonly kind: "done"; readonly said: string }
  | { readonly kind: "refused"; readonly why: string; readonly remedy: string }

/** One transaction: all of `text`, or nothing of it. */
export function changeRules(text: string): Promise<NftAnswer> {
  return nft(["-f", "-"], text)
}

/** Whether this process may ask at all. */
export function mayChangeRules(): Promise<NftAnswer> {
  return nft(["list", "tables"])
}

export type CounterValue = { readonly name: string; readonly packets: number; readonly bytes: number }

/** Every counter of a table; none where the table cannot be read. */
export async function readCounters(table: string): Promise<readonly CounterValue[]> {
  const answer = await nft(["-j", "list", "counters", "table", "inet", table])
  return answer.kind === "done" ? countersIn(answer.said) : []
}

export async function tableExists(table: string): Promise<boolean> {
  return (await nft(["list", "table", "inet", table])).kind === "done"
}

/** libnftables-json(5), "COUNTER". */
function countersIn(text: string): readonly CounterValue[] {
  const { nftables } = JSON.parse(text) as { readonly nftables: readonly { readonly counter?: CounterValue }[] } // nft's own
  return nftables.flatMap(({ counter }) => counter ?? [])
}

function nft(args: readonly string[], input = ""): Promise<NftAnswer> {
  const options = { timeout: NFT_DEADLINE_MS, maxBuffer: ANSWER_BYTES_MAX, env: { ...process.env, PATH: SYSTEM_PATH } }
  return new Promise((resolve) => {
    const child = execFile("nft", args, options, (error, said, complaint) => {
      resolve(error ? refusal(error, complaint) : { kind: "done", said })
    })
    child.stdin?.on("error", () => {}) // it has gone already, and says why
    child.stdin?.end(input)
  })
}

/** Where Debian has it, also for a user whose own path does not lead there. */
const SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

function refusal(error: { readonly code?: string | number | null }, complaint: string): NftAnswer {
  if (error.code === "ENOENT") {
    return { kind: "refused", why: "nft is not installed", remedy: "install the package nftables" }
  }
  if (/Operation not permitted/.test(complaint)) {
    const remedy = "give the relay that capability (AmbientCapabilities=CAP_NET_ADMIN in its systemd unit)"
    return { kind: "refused", why: "the relay has no CAP_NET_ADMIN", remedy }
  }
  const why = complaint.trim().split("\n")[0] ?? ""
  return { kind: "refused", why: `nft: ${why}`, remedy: "see nft(8); `nft list ruleset` shows what there is" }
}
