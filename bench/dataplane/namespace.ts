/**
 * A network of the benchmark's own: loopback in a fresh network namespace, where any port is free and nothing else runs,
 * with congestion control reno (BBR, some hosts' default, paces loopback down to a quarter, and all relays look alike).
 */
import { execFileSync, spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"

const INSIDE = "WAYPOST_BENCH_NAMESPACE"

/** Returns inside the namespace; outside of it runs this program again there and ends with its exit code. */
export function enterNamespace(): void {
  if (process.env[INSIDE] === undefined) {
    const again = ["-n", "--", process.execPath, ...process.execArgv, ...process.argv.slice(1)]
    const { status, error } = spawnSync("unshare", again, {
      stdio: "inherit",
      env: { ...process.env, [INSIDE]: "1" },
    })
    if (error) throw error
    process.exit(status ?? 1)
  }
  execFileSync("ip", ["link", "set", "lo", "up"])
  writeFileSync("/proc/sys/net/ipv4/tcp_congestion_control", "reno")
}
