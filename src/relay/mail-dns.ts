/** What mail asks of DNS: by the resolver that the file names, else the system's; and whether that one validates. */
import type { Clock } from "../clock/clock.ts"
import type { ResolverSettings } from "../config/config.ts"
import { stubResolver, systemNameServers, type Resolver } from "../dns/resolver.ts"
import { ValidationWatch } from "../dns/validation.ts"
import type { Log } from "../log/log.ts"
import { mxResolver, systemMxResolver, type MxResolver } from "../smtp/delivery/mx.ts"
import { publishedTls, type PublishedTls } from "../smtp/trust/published-tls.ts"

export type MailDns = {
  readonly published: PublishedTls
  readonly mx: MxResolver
  readonly validation: ValidationWatch
}

/** The first test of the resolver begins at once; what needs its outcome waits for it. */
export async function mailDns(
  settings: ResolverSettings | undefined,
  outside: { readonly clock: Clock; readonly log: Log },
): Promise<MailDns> {
  const dns = await configuredResolver(settings, { background: true })
  const validation = new ValidationWatch(dns, outside)
  void validation.state()
  const validatedMx = mxResolver(dns)
  return {
    published: publishedTls({ dns, validation: () => validation.state() }),
    // A resolver that cannot do what we ask of it may still do what everybody asks.
    mx: async (domain) => ((await validation.state()).kind === "on" ? validatedMx(domain) : systemMxResolver(domain)),
    validation,
  }
}

export async function configuredResolver(
  settings: ResolverSettings | undefined,
  how: { readonly background?: boolean } = {},
): Promise<Resolver> {
  return settings
    ? stubResolver(settings.at, { ...how, trusted: settings.trusted })
    : stubResolver(await systemNameServers(), how)
}
