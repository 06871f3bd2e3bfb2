/**
 * Listening sockets that this process was started with: by systemd (sd_listen_fds(3)), or by the relay that it follows.
 * Whose they are is told by where they listen, which Linux says in /proc.
 */
import { closeSync, readFileSync, readlinkSync } from "node:fs"
import { endpointText, type SocketAddress } from "../names/endpoint.ts"
import { ipAddressOf } from "../names/ip-address.ts"

/** sd_listen_fds(3): SD_LISTEN_FDS_START. */
export const FIRST_GIVEN = 3

export class GivenSockets {
  readonly #byPlace = new Map<string, number[]>()
  readonly #unknown: readonly number[]

  /** `placeOf`: where a descriptor listens; `undefined` if it does not. */
  constructor(descriptors: readonly number[] = [], placeOf = listeningPlaces(descriptors)) {
    for (const descriptor of descriptors) {
      const place = placeOf(descriptor)
      if (place) this.#byPlace.set(endpointText(place), [...this.#at(place), descriptor])
    }
    this.#unknown = descriptors.filter((descriptor) => placeOf(descriptor) === undefined)
  }

  /** Those that listen at this address; they are the caller's from here on. */
  take(place: SocketAddress): readonly number[] {
    const taken = this.#at(place)
    this.#byPlace.delete(endpointText(place))
    return taken
  }

  /** Closes what nobody has taken, and answers with where it listened. */
  closeRest(): readonly string[] {
    const left = [...this.#byPlace]
    for (const descriptor of [...left.flatMap(([, some]) => some), ...this.#unknown]) closeSync(descriptor)
    this.#byPlace.clear()
    return left.map(([place]) => place)
  }

  #at(place: SocketAddress): readonly number[] {
    return this.#byPlace.get(endpointText(place)) ?? []
  }
}

/** How many descriptors systemd has passed to this very process. */
export function givenBySystemd(environment: NodeJS.ProcessEnv, pid: number): readonly number[] {
  if (environment["LISTEN_PID"] !== String(pid)) return []
  return descriptorsFrom(Number(environment["LISTEN_FDS"]))
}

/** FIRST_GIVEN and those that follow it. */
export function descriptorsFrom(count: number): readonly number[] {
  return Number.isInteger(count) && count > 0 ? Array.from({ length: count }, (_, index) => FIRST_GIVEN + index) : []
}

function listeningPlaces(descriptors: readonly number[]): (descriptor: number) => SocketAddress | undefined {
  if (descriptors.length === 0) return () => undefined
  const byInode = new Map([...listeningIn("/proc/self/net/tcp"), ...listeningIn("/proc/self/net/tcp6")])
  return (descriptor) => byInode.get(inodeOf(descriptor))
}

function inodeOf(descriptor: number): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1] ?? ""
  } catch {
    return "" // there is none
  }
}

/** proc(5): `sl local_address rem_address st … inode`; state 0A is LISTEN. */
function listeningIn(file: string): readonly (readonly [inode: string, SocketAddress])[] {
  return readFileSync(file, "latin1")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === "0A")
    .map(([, local = "", , , , , , , , inode = ""]) => [inode, placeIn(local)])
}

/** The address in words of 32 bits as this machine has them in memory, little-endian; the port as a number. */
function placeIn(text: string): SocketAddress {
  const [address = "", port = ""] = text.split(":")
  const bytes = Buffer.from(address, "hex")
  return { address: ipAddressOf(bytes.swap32()), port: Number.parseInt(port, 16) }
}
