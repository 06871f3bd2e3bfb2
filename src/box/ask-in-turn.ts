/** Asks one relay after the other for a connection to the outside, until one has opened it. Once it is open nobody steps in. */
import { fault, FaultError } from "../faults/faults.ts"
import type { Endpoint } from "../names/endpoint.ts"
import type { Outside } from "../tunnel/box-asks.ts"
import type { BoxEnd } from "../tunnel/box-end.ts"

/** A relay by name, with its tunnel while that is up. */
export type Exit = { readonly relay: string; readonly end: Pick<BoxEnd, "ask"> | undefined }

export type Opened = { readonly relay: string; readonly outside: Outside }

/**
 * Rejects with the `FaultError` of the last relay that tried, so that one which merely does not offer it does not hide why
 * another failed; OUTGOING_OFF or OUTGOING_AWAY if none tried.
 */
export async function askInTurn(to: Endpoint, exits: readonly Exit[], signal: AbortSignal): Promise<Opened> {
  let failure = new FaultError(fault("OUTGOING_AWAY", "no tunnel is up"))
  for (const { relay, end } of exits) {
    if (!end || signal.aborted) continue
    try {
      return { relay, outside: await end.ask(to, signal) }
    } catch (error) {
      if (!(error instanceof FaultError)) throw error
      const { code } = error.fault
      if (code === "OUTGOING_PLACE") throw error // no relay goes there
      if (!DID_NOT_TRY.has(code) || DID_NOT_TRY.has(failure.fault.code)) failure = error
    }
  }
  throw failure
}

const DID_NOT_TRY: ReadonlySet<string> = new Set(["OUTGOING_AWAY", "OUTGOING_OFF"])
