/** What `waypost box status` says of services that need no relay: whether they are reached, who can read them, what to publish now. */
import { describeDirect, type DirectStatus } from "../box/direct.ts"
import type { RelayStatus } from "../box/box.ts"
import { isIpv6, type IpAddress } from "../names/ip-address.ts"
import { NOTHING_CHECKED } from "../policy/facts.ts"
import { judgeDirect } from "../policy/judge.ts"
import { sentencesFor } from "../policy/sentences.ts"

type Status = { readonly relays: readonly RelayStatus[]; readonly direct: readonly DirectStatus[] }

/** No line where no service is listed as direct. */
export function directLines({ relays, direct }: Status): readonly string[] {
  if (direct.length === 0) return []
  const shown = relays.flatMap(({ shows }) => shows ?? [])
  return [
    "",
    ...direct.flatMap((one) => [
      `direct ${one.service}: ${describeDirect(one)}`,
      ...(one.state.at === "possible" ? [`  ${whoReads(one)}`] : []),
    ]),
    "",
    "Publish now (this box publishes nothing itself):",
    ...shown.flatMap(({ relay, domains }) =>
      domains.filter((name) => !name.startsWith("*.")).flatMap((name) => records(name, relay, direct)),
    ),
  ]
}

/** The policy's own words, about the way that needs no relay. */
function whoReads({ service }: DirectStatus): string {
  const protocol = service.startsWith("smtp") && service !== "smtps" ? "smtp" : "tls"
  const verdict = judgeDirect({ friend: "you", listener: service, protocol }, NOTHING_CHECKED)
  return sentencesFor(verdict, "the relay's operator", "you")[0] ?? ""
}

/** Direct first, the relay for visitors who find nobody there (RFC 8305 §4 tries the next address; RFC 5321 §5.1 the next MX). */
function records(name: string, relay: string, direct: readonly DirectStatus[]): readonly string[] {
  const possible = direct.flatMap(({ service, state }) =>
    state.at === "possible" ? [{ service, ...state.place }] : [],
  )
  const [first] = possible
  const mail = possible.find(({ service, port }) => service === "smtp" && port === 25)
  const home = first ? `${recordType(first.address)} ${first.address}, and beside it ` : ""
  return [
    `  ${name}.  ${home}the addresses of ${relay}`,
    ...(mail ? [`  ${name}.  MX 10 ${name}., MX 20 ${relay}.`] : []),
  ]
}

function recordType(address: IpAddress): "A" | "AAAA" {
  return isIpv6(address) ? "AAAA" : "A"
}
