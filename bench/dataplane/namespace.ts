/**
 * A network of the benchmark's own: loopback in a fresh network namespace, where any port is free and nothing else runs,
 * with congestion control reno (BBR, some hosts' default, paces loopback down to a quarter, and all relays look alike).
 */
import { execFileSync, spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"

const INSIDE = "WAYPOST_BENCH_NAMESPACE"
/** Thousands of connections need more descriptors than programs are given at first. */
const WITH_ALL_DESCRIPTORS = 'ulimit -n "$(ulimit -Hn)"; exec "$@"'

/** Returns inside the namespace; outside of it runs this program again there and ends with its exit code. */
export function enterNamespace(): void {
  if (process.env[INSIDE] === undefined) {
    const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
    const { status, error } = spawnSync("unshare", ["-n", "--", "sh", "-c", WITH_ALL_DESCRIPTORS, "sh", ...again], {
      stdio: "inherit",
      env: { ...process.env, [INSIDE]: "1" },
    })
    if (error) throw error
    process.exit(status ?? 1)
  }
  execFileSync("ip", ["link", "set", "lo", "up"])
  writeFileSync("/proc/sys/net/ipv4/tcp_congestion_control", "reno")
}
