/** What mail asks of DNS: by the resolver that the file names, else the system's; and whether that one validates. */
import { join } from "node:path"
import type { Clock } from "../clock/clock.ts"
import type { RelaySettings, ResolverSettings } from "../config/config.ts"
import { readIfThere, replaceDurably } from "../files/durable-file.ts"
import { isListed } from "../dns/block-list.ts"
import { nameBehind } from "../dns/reverse.ts"
import { stubResolver, systemNameServers, type Resolver } from "../dns/resolver.ts"
import { ValidationWatch } from "../dns/validation.ts"
import type { SocketAddress } from "../names/endpoint.ts"
import type { Hostname } from "../names/hostname.ts"
import type { IpAddress } from "../names/ip-address.ts"
import type { Log } from "../log/log.ts"
import { mxResolver, systemMxResolver, type MxResolver } from "../smtp/delivery/mx.ts"
import type { VisitorName } from "../smtp/delivery/xclient.ts"
import { StsCache, type StsStore } from "../smtp/trust/sts-cache.ts"
import { httpsStsPolicy } from "../smtp/trust/sts-fetch.ts"
import { publishedTls, type PublishedTls } from "../smtp/trust/published-tls.ts"

export type MailDns = {
  readonly published: PublishedTls
  readonly mx: MxResolver
  readonly nameBehind: (address: IpAddress) => Promise<VisitorName>
  readonly validation: ValidationWatch
  readonly resolver: Resolver
  readonly isListed: (address: IpAddress, list: Hostname) => Promise<boolean>
  /** For threads, which ask by themselves. */
  readonly nameServers: readonly SocketAddress[]
}

/** The first test of the resolver begins at once; what needs its outcome waits for it. */
export async function mailDns(
  { state, resolver: settings }: Pick<RelaySettings, "state" | "resolver">,
  outside: { readonly clock: Clock; readonly log: Log },
): Promise<MailDns> {
  const dns = await configuredResolver(settings, { background: true })
  const validation = new ValidationWatch(dns, outside)
  void validation.state()
  const policies = new StsCache({ dns, fetch: httpsStsPolicy(), store: policyFile(state), ...outside })
  const validatedMx = mxResolver(dns)
  return {
    published: publishedTls({
      dns,
      validation: () => validation.state(),
      policyFor: (domain) => policies.policyFor(domain),
    }),
    // A resolver that cannot do what we ask of it may still do what everybody asks.
    mx: async (domain) => ((await validation.state()).kind === "on" ? validatedMx(domain) : systemMxResolver(domain)),
    nameBehind: (address) => nameBehind(address, dns),
    validation,
    resolver: dns,
    isListed: (address, list) => isListed(dns, address, list),
    nameServers: dns.servers,
  }
}

/** A policy says who may have other people's mail; that it is there at all says whom the relay wrote to. */
function policyFile(state: string): StsStore {
  const file = join(state, "mta-sts.json")
  return { load: () => readIfThere(file), save: (text) => replaceDurably(file, text, 0o600) }
}

export async function configuredResolver(
  settings: ResolverSettings | undefined,
  how: { readonly background?: boolean } = {},
): Promise<Resolver> {
  return settings
    ? stubResolver(settings.at, { ...how, trusted: settings.trusted })
    : stubResolver(await systemNameServers(), how)
}
