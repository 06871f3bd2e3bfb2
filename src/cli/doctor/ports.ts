/** Which addresses and ports this user may listen on here: tried, not guessed. */
import { FaultError } from "../../faults/faults.ts"
import { endpointText, type SocketAddress } from "../../names/endpoint.ts"
import type { Engine } from "../../net/engine.ts"
import type { Finding } from "./finding.ts"

/** Opens and closes each one. `needed`: a configuration asks for them, so one that is refused is a failure. */
export async function examinePorts(
  engine: Engine,
  places: readonly SocketAddress[],
  needed: boolean,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const place of places) findings.push(await examinePort(engine, place, needed))
  return findings
}

async function examinePort(engine: Engine, bind: SocketAddress, needed: boolean): Promise<Finding> {
  const what = endpointText(bind)
  try {
    const open = await engine.listen(
      { name: "doctor", bind, ask: "accept", decideDeadlineMs: 1, ended: () => {} },
      () => ({ do: "reset", why: "only tried" }),
    )
    await open.stop()
    return { what, state: "ok", found: "can be listened on" }
  } catch (error) {
    if (!(error instanceof FaultError)) throw error
    const { why = error.fault.detail, remedy } = BIND_DETAIL.exec(error.fault.detail)?.groups ?? {}
    const state = needed ? "fail" : "warn"
    return { what, state, found: `cannot be listened on: ${why}`, ...(remedy !== undefined && { remedy }) }
  }
}

/** `name: cannot listen on where: why (remedy)`, as the engine tells it. */
const BIND_DETAIL = /: cannot listen on \S+: (?<why>[^ ]+) \((?<remedy>.*)\)$/
