/** Whether the clock can be right. A wrong one makes certificates invalid and mail late or early. */
import { existsSync, readdirSync, statSync } from "node:fs"
import type { Instant } from "../../clock/clock.ts"
import type { Finding } from "./finding.ts"

/** What keeps a Linux clock right leaves one of these: systemd-timesyncd, chrony, ntpsec and ntpd. */
const SYNCHRONISED_BY = ["/run/systemd/timesync/synchronized", "/run/chrony", "/run/ntpd.pid", "/run/openntpd"]

export function examineClock(
  now: Instant = Date.now(),
  filesFromPast = programFiles(),
  evidence = SYNCHRONISED_BY,
): Finding {
  const what = "clock"
  const found = new Date(now).toISOString()
  const newest = Math.max(0, ...filesFromPast.map((file) => statSync(file).mtimeMs))
  if (now < newest) {
    const since = new Date(newest).toISOString()
    return {
      what,
      state: "fail",
      found: `${found}, but files of this program are from ${since}`,
      remedy: "set the clock",
    }
  }
  if (evidence.some((path) => existsSync(path))) return { what, state: "ok", found: `${found}, kept by a time service` }
  return {
    what,
    state: "warn",
    found: `${found}; no time service was found`,
    remedy: "run chrony or systemd-timesyncd",
  }
}

function programFiles(): readonly string[] {
  const folder = new URL("../", import.meta.url)
  return readdirSync(folder).map((name) => new URL(name, folder).pathname)
}
