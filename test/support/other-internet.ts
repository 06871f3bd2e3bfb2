/** An internet of a test's own: public names and addresses that lead to ports of this machine, and nothing else. */
import type { Socket } from "node:net"
import { connect } from "node:net"
import { once } from "node:events"
import { fault, FaultError } from "../../src/faults/faults.ts"
import type { Internet } from "../../src/net/internet.ts"

/** By name or address as others see it: which addresses the name has; which port of which loopback address an address is. */
export type OtherInternet = {
  readonly names: Readonly<Record<string, readonly string[]>>
  readonly hosts: Readonly<Record<string, { readonly address: string; readonly port: number }>>
}

/** Connections leave from the address that they are told to, and it must be one of this machine. */
export function otherInternet({ names, hosts }: OtherInternet): Internet {
  return {
    lookup: async (name) => names[name] ?? Promise.reject(new Error("ENOTFOUND")),
    connect: async (to, from) => {
      const host = hosts[to.address]
      if (!host) throw new FaultError(fault("BACKEND_SILENT", `${to.address} is nobody`))
      const socket: Socket = connect({ ...host, host: host.address, localAddress: from, allowHalfOpen: true })
      await once(socket, "connect").catch((error: Error) => {
        throw new FaultError(fault("BACKEND_REFUSES", error.message))
      })
      return socket
    },
  }
}
