/** Which of the programs that judge us this machine has, and where. */
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"

/** Each program and the Debian package that brings it. */
export const PACKAGES = {
  chromium: "chromium",
  curl: "curl",
  dig: "bind9-dnsutils",
  dkimverify: "python3-dkim python3-spf python3-authres",
  eatmydata: "eatmydata",
  dovecot: "dovecot-imapd dovecot-managesieved",
  exim4: "exim4-daemon-light",
  fetchmail: "fetchmail",
  haproxy: "haproxy",
  knotd: "knot",
  "mkfs.xfs": "xfsprogs",
  nginx: "nginx libnginx-mod-stream",
  openssl: "openssl",
  "mta-sts-daemon": "postfix-mta-sts-resolver",
  miniupnpd: "miniupnpd-nftables",
  pagekite: "pagekite",
  postfix: "postfix",
  "posttls-finger": "postfix",
  smtpd: "opensmtpd",
  "smtp-sink": "postfix",
  "smtp-source": "postfix",
  prosody: "prosody",
  proxychains4: "proxychains4",
  python3: "python3",
  sniproxy: "sniproxy",
  ssh: "openssh-client",
  sshd: "openssh-server",
  sslscan: "sslscan",
  strace: "strace",
  swaks: "swaks libnet-ssleay-perl",
  "systemd-analyze": "systemd",
  "systemd-notify": "systemd",
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

/** Which of the programs this machine has not, in words; `undefined` if it has all. */
export function missing(...names: readonly Judge[]): string | undefined {
  const absent = names.filter((name) => judge(name) === undefined)
  return absent.length > 0 ? `${absent.join(", ")} not installed` : undefined
}

/** As `judge`, inside `withJudges`, where it is known to be there. */
export function judgePath(name: Judge): string {
  const path = judge(name)
  if (path === undefined) throw new Error(`${name} is not installed: ask for it with withJudges`)
  return path
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
