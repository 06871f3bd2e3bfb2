/** What has to hold where a route says `engine: kernel`: the kernel knows addresses and ports, and nothing else. */
import { ipAddress, isIpv6, type IpAddress } from "../names/ip-address.ts"
import type { Endpoint } from "../names/endpoint.ts"
import { reaches } from "./matches.ts"
import type { FileListener, FileRoute } from "./schema.ts"
import type { DraftFriend } from "./shape.ts"
import type { Path, Source } from "./source.ts"

export type KernelSubject = {
  readonly friendName: string
  readonly friend: DraftFriend
  readonly listenerName: string
  readonly listener: Partial<FileListener>
  readonly route: Partial<FileRoute>
  readonly path: Path
}

/** Adds every fault of a route that the kernel is to lead; does nothing for the others. */
export function checkKernel(subject: KernelSubject, source: Source): void {
  if (subject.route.engine !== "kernel" || subject.route.mode === "peer") return
  checkSays(subject, source)
  checkFound(subject, source)
  checkServers(subject, source)
}

/** What only the relay itself can do. */
function checkSays({ friend, friendName, listener, listenerName, route, path }: KernelSubject, source: Source): void {
  const at: Path = [...path, "engine"]
  if (route.proxy !== undefined && route.proxy !== "none")
    source.faultAt([...path, "proxy"], "the kernel writes no PROXY header", "proxy: none, or engine: relay")
  if ((listener["accept-proxy"] ?? []).length > 0)
    source.faultAt(at, `the kernel reads no PROXY header, and ${listenerName} accepts them`, "engine: relay")
  if (friend.rate !== undefined)
    source.faultAt(at, `the kernel does not hold ${friendName} to a rate`, "no rate, or engine: relay")
}

function checkFound({ friend, friendName, listener, listenerName, path }: KernelSubject, source: Source): void {
  const { bind, "accept-proxy": acceptProxy } = listener
  if (!bind || !acceptProxy || !friend.addresses) return
  const at: Path = [...path, "engine"]
  const own = friend.addresses.some((address) => reaches({ bind, "accept-proxy": [] }, address))
  if (!own)
    source.faultAt(
      at,
      `the kernel reads no names, and no address of ${friendName}'s own is on ${listenerName}`,
      `addresses for ${friendName} that ${listenerName} is bound to, or engine: relay`,
    )
  if (bind.some(({ port }) => port === 0))
    source.faultAt(at, `${listenerName} takes any free port`, "a port in its bind, or engine: relay")
}

function checkServers({ friend, listener, route, path }: KernelSubject, source: Source): void {
  const at: Path = [...path, "to"]
  const places: readonly (Endpoint | "box")[] = route.to ?? []
  const servers: IpAddress[] = []
  for (const place of places) {
    const address = place === "box" ? undefined : ipAddress(place.host)
    if (address) servers.push(address)
    else if (place === "box")
      source.faultAt(at, "the kernel cannot reach a box's tunnel", "an address, or engine: relay")
    else source.faultAt(at, `the kernel looks up no names: ${place.host}`, "its address, or engine: relay")
  }
  if (servers.some((address) => address === "::1" || address.startsWith("127.")))
    source.faultAt(at, "the kernel leads nobody to this machine itself", "another machine's address, or engine: relay")
  if (servers.filter(isIpv6).length > 1 || servers.filter((address) => !isIpv6(address)).length > 1)
    source.faultAt(at, "the kernel tries one server only", "one address of each family, or engine: relay")
  if (servers.length < places.length || !listener.bind) return
  const { bind } = listener
  const owns = (friend.addresses ?? []).filter((address) => reaches({ bind, "accept-proxy": [] }, address))
  const stranded = owns.find((own) => !servers.some((server) => isIpv6(server) === isIpv6(own)))
  if (stranded)
    source.faultAt(
      at,
      `the kernel cannot lead from ${stranded} to the other family`,
      `an address of its family beside, as in to: ["10.0.0.5:443", "[fd00::5]:443"], or engine: relay`,
    )
}
