/** Which of this machine's addresses others see, as far as the kernel can tell without sending anything. */
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { ipAddress, isIpv6, type IpAddress } from "../names/ip-address.ts"

/** Any port: a datagram socket that is only connected sends nothing. */
const ANY_PORT = 9

/** The address from which this machine would talk to `other`. Rejects where there is no way there. */
export async function ownAddressTowards(other: IpAddress): Promise<IpAddress> {
  const socket = createSocket(isIpv6(other) ? "udp6" : "udp4")
  try {
    socket.connect(ANY_PORT, other)
    await once(socket, "connect")
    const own = ipAddress(socket.address().address)
    if (!own) throw new Error(`no way leads to ${other}`)
    return own
  } finally {
    socket.close()
  }
}
