/** What an operator is warned of: stable codes, each with a section in docs/warnings.md (a test checks both ways). */

export const WARNINGS = {
  WP101: "relay-reads-mail",
  WP102: "relay-reads-web",
  WP103: "relay-keeps-mail-in-clear",
  WP104: "relay-could-become-the-site",
  WP105: "relay-could-strip-starttls",
  WP106: "nothing-is-known-of-the-protocol",
  WP107: "cached-pages-reach-later-visitors",
  WP108: "one-operator-holds-name-and-relay",
  WP109: "operator-holds-the-tls-key",
  WP110: "relay-could-send-as-the-friend",
} as const satisfies Record<`WP${number}`, string>

export type WarningCode = keyof typeof WARNINGS

/** `WP101 relay-reads-mail`, as it stands in logs. */
export function warningText(code: WarningCode): string {
  return `${code} ${WARNINGS[code]}`
}
