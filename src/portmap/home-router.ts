/** The router of the home network: where packets for everybody else go. */
import { readFile } from "node:fs/promises"
import { ipAddressOf, type IpAddress } from "../names/ip-address.ts"
import { ownAddressTowards } from "../net/own-address.ts"

export type HomeRouter = {
  readonly router: IpAddress
  /** This machine's address on the home network. */
  readonly own: IpAddress
}

/** Linux tells; rejects elsewhere, and where no way leads out. */
export async function homeRouter(): Promise<HomeRouter> {
  const router = defaultGateway(await readFile("/proc/net/route", "latin1"))
  if (!router) throw new Error("this machine knows no router")
  return { router, own: await ownAddressTowards(router) }
}

/** The flag of a route through a gateway, RTF_GATEWAY in route(8). */
const THROUGH_A_GATEWAY = 2

/** proc(5): interface, destination, gateway, flags … in hexadecimal, addresses as the machine's little-endian words. */
export function defaultGateway(table: string): IpAddress | undefined {
  for (const line of table.split("\n").slice(1)) {
    const [, destination = "", gateway = "", flags = ""] = line.split(/\s+/)
    const through = (Number.parseInt(flags, 16) & THROUGH_A_GATEWAY) !== 0
    if (destination !== "00000000" || !through || !/^[0-9a-f]{8}$/i.test(gateway)) continue
    return ipAddressOf(Uint8Array.from(Buffer.from(gateway, "hex").reverse()))
  }
  return undefined
}
