import { expect, test } from "@jest/globals"
import { PassThrough } from "node:stream"
import { askInTurn, type Exit } from "../../../src/box/ask-in-turn.ts"
import { fault, FaultError, type FaultCode } from "../../../src/faults/faults.ts"
import { endpoint, socketAddress, type Endpoint, type SocketAddress } from "../../../src/names/endpoint.ts"
import type { Outside } from "../../../src/tunnel/box-asks.ts"

const to = endpoint("mx.carol.example:25") as Endpoint
const place = socketAddress("192.0.2.25:25") as SocketAddress
const outside: Outside = { stream: new PassThrough(), remote: place, local: place }

test.each<[string, readonly (FaultCode | "opens" | "down")[], string]>([
  ["the first that opens it is taken", ["opens", "opens"], "relay 1"],
  ["one whose tunnel is down is passed over", ["down", "opens"], "relay 2"],
  ["one that does not offer it is passed over", ["OUTGOING_OFF", "opens"], "relay 2"],
  ["one that cannot reach the far end is followed by one that can", ["BACKEND_SILENT", "opens"], "relay 2"],
  ["the failure of one that tried is told", ["BACKEND_REFUSES", "OUTGOING_OFF"], "BACKEND_REFUSES"],
  [
    "the failure of one that tried is told, whoever is first",
    ["OUTGOING_OFF", "BACKEND_REFUSES", "down"],
    "BACKEND_REFUSES",
  ],
  ["that none offers it is told", ["down", "OUTGOING_OFF"], "OUTGOING_OFF"],
  ["that none is there is told", ["down", "down"], "OUTGOING_AWAY"],
  ["a place where no relay goes is asked for once", ["OUTGOING_PLACE", "opens"], "OUTGOING_PLACE"],
])("%s", async (_what, relays, right) => {
  const exits = relays.map((what, index) => exit(`relay ${index + 1}`, what))
  const came = await askInTurn(to, exits, new AbortController().signal).then(
    ({ relay }) => relay,
    (error: FaultError) => error.fault.code,
  )
  expect(came).toBe(right)
})

test("nobody is asked any more when the program has gone", async () => {
  await expect(askInTurn(to, [exit("relay", "opens")], AbortSignal.abort())).rejects.toThrow("OUTGOING_AWAY")
})

function exit(relay: string, what: FaultCode | "opens" | "down"): Exit {
  if (what === "down") return { relay, end: undefined }
  const ask = async (): Promise<Outside> => {
    if (what === "opens") return outside
    throw new FaultError(fault(what, "for a reason"))
  }
  return { relay, end: { ask } }
}
