/** What listens at home: as the owner says it, or as a look at the usual ports shows it. */
import type { BoxService } from "../config/box-config.ts"
import { endpoint } from "../names/endpoint.ts"
import { dial } from "../net/dial.ts"
import { serviceName } from "../tunnel/wire.ts"

/** IANA's ports for what friends carry, by the listener names that examples use. */
const USUAL_PORTS: Readonly<Record<string, number>> = {
  smtp: 25,
  http: 80,
  imap: 143,
  https: 443,
  smtps: 465,
  submission: 587,
  imaps: 993,
  ssh: 22,
}
/** Ours: loopback answers at once or not at all. */
const LOOK_MS_MAX = 500

export type Services = ReadonlyMap<string, BoxService>
export type ServicesRead =
  { readonly kind: "services"; readonly services: Services } | { readonly kind: "refused"; readonly text: string }

/** Reads `https=127.0.0.1:443`, as given with --serve; the first that is none of the kind is named. */
export function readServices(texts: readonly string[]): ServicesRead {
  const services = new Map<string, BoxService>()
  for (const text of texts) {
    const [name = "", place = ""] = text.split("=", 2)
    const to = endpoint(place)
    if (!serviceName(name) || !to || to.port === 0) return { kind: "refused", text }
    services.set(name, { to, proxy: "none", probe: true })
  }
  return { kind: "services", services }
}

/** Of these services, those whose usual port answers on this machine. */
export async function findServices(names: readonly string[]): Promise<Services> {
  const found = new Map<string, BoxService>()
  for (const name of names) {
    const to = endpoint(`127.0.0.1:${USUAL_PORTS[name] ?? 0}`)
    if (!to || to.port === 0) continue
    try {
      const socket = await dial(to, LOOK_MS_MAX)
      socket.destroy()
      found.set(name, { to, proxy: "none", probe: true })
    } catch {
      // nothing listens there, which is an answer
    }
  }
  return found
}
