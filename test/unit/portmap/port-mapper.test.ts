import { expect, test } from "@jest/globals"
import { mapPort } from "../../../src/portmap/port-mapper.ts"
import { address } from "../../support/loopback.ts"

test("nothing is asked of the router when nobody wants to know any more", async () => {
  const home = { router: address("192.0.2.1"), own: address("192.0.2.2") } // RFC 5737: nobody answers there
  const stopped = new AbortController()
  const asking = mapPort(home, { internalPort: 8_443, externalPort: 443 }, stopped.signal)
  stopped.abort()
  await expect(asking).rejects.toThrow(/^PCP: .*; NAT-PMP: .*; UPnP: .*is not asked any more$/)
})
