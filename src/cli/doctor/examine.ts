/** Everything that a relay depends on here, looked at one after the other. */
import { silentLog } from "../../log/log.ts"
import type { Config } from "../../config/config.ts"
import { socketAddress, type SocketAddress } from "../../names/endpoint.ts"
import { javascriptEngine } from "../../net/engine-js.ts"
import { configuredResolver } from "../../relay/mail-dns.ts"
import { examineAddresses } from "./addresses.ts"
import { examineClock } from "./clock.ts"
import type { Finding } from "./finding.ts"
import { examineKernelPath } from "./kernel-path.ts"
import { examinePorts } from "./ports.ts"
import { examineResolver } from "./resolver.ts"
import { examineDescriptors, examineEngine, examineNode } from "./runtime.ts"
import { examineStateFolder } from "./state-folder.ts"

/** What a relay usually listens on. */
const USUAL_PLACES = ["0.0.0.0:25", "0.0.0.0:80", "0.0.0.0:443", "0.0.0.0:465", "[::]:25", "[::]:443"]

/** With a configuration its own listeners and state folder are tried, else the usual places. */
export async function examine(config: Config | undefined): Promise<readonly Finding[]> {
  const engine = javascriptEngine({ log: silentLog })
  const findings = [
    examineNode(),
    examineEngine(),
    await examineDescriptors(),
    examineClock(),
    await examineResolver(await configuredResolver(config?.relay.resolver)),
    ...examineAddresses(),
    ...(await examinePorts(engine, config ? placesOf(config) : usualPlaces(), config !== undefined)),
    ...(config ? [await examineStateFolder(config.relay.state), ...(await examineKernelPath(config))] : []),
  ]
  await engine.close()
  return findings
}

function placesOf({ listeners, relay }: Config): readonly SocketAddress[] {
  return [...listeners.flatMap(({ bind }) => bind), ...(relay.admin ? [relay.admin] : [])]
}

function usualPlaces(): readonly SocketAddress[] {
  return USUAL_PLACES.map(socketAddress).filter((place) => place !== undefined)
}
