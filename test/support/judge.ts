/**
 * The programs that judge us: real servers and clients from Debian's packages. A test that needs one which is not
 * installed is skipped, and says so; where JUDGES_REQUIRED is set (as in .ci/run) it fails instead.
 */
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { describe, test } from "@jest/globals"

/** Each program and the Debian package that brings it. */
const PACKAGES = {
  chromium: "chromium",
  curl: "curl",
  dig: "bind9-dnsutils",
  fetchmail: "fetchmail",
  haproxy: "haproxy",
  knotd: "knot",
  nginx: "nginx libnginx-mod-stream",
  openssl: "openssl",
  pagekite: "pagekite",
  postfix: "postfix",
  "posttls-finger": "postfix",
  "smtp-sink": "postfix",
  "smtp-source": "postfix",
  sniproxy: "sniproxy",
  ssh: "openssh-client",
  sshd: "openssh-server",
  sslscan: "sslscan",
  strace: "strace",
  swaks: "swaks",
  unbound: "unbound",
} as const

export type Judge = keyof typeof PACKAGES

/** Debian keeps servers where an ordinary PATH does not look. */
const SERVER_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"]

/** Where the program is; `undefined` if this machine does not have it. */
export function judge(name: Judge): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...SERVER_FOLDERS]
  return folders.map((folder) => join(folder, name)).find(mayRun)
}

/** As `judge`, inside `withJudges`, where it is known to be there. */
export function judgePath(name: Judge): string {
  const path = judge(name)
  if (path === undefined) throw new Error(`${name} is not installed: ask for it with withJudges`)
  return path
}

/** Registers `tests` if every named program is here; otherwise one skipped test that names what is missing. */
export function withJudges(names: readonly Judge[], tests: () => void): void {
  const missing = names.filter((name) => judge(name) === undefined)
  if (missing.length === 0) return tests()
  const packages = [...new Set(missing.map((name) => PACKAGES[name]))].join(" ")
  const reason = `${missing.join(", ")} not installed (apt-get install ${packages})`
  if (process.env["JUDGES_REQUIRED"]) {
    test(`needs ${reason}`, () => {
      throw new Error(`JUDGES_REQUIRED is set, but: ${reason}`)
    })
    return
  }
  process.stderr.write(`SKIPPED: ${reason}\n`)
  describe.skip(`SKIPPED: ${reason}`, tests)
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
