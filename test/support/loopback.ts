/** Addresses of this machine that every test may use, in the types that the program asks for. */
import type { SocketAddress } from "../../src/names/endpoint.ts"
import { ipAddress, type IpAddress } from "../../src/names/ip-address.ts"

export function address(text: string): IpAddress {
  const checked = ipAddress(text)
  if (!checked) throw new Error(`${text} is not an address`)
  return checked
}

/** Port 0: any free one. */
export function at(text: string, port = 0): SocketAddress {
  return { address: address(text), port }
}

export const LOOPBACK = at("127.0.0.1")
