/**
 * What has to hold between the parts of a file: names that are referred to exist, every route can be found by something,
 * and nothing is promised to two friends. Works on a draft, so that it also runs beside faults of shape; a part that is
 * not there has been told already.
 */
import { endpointText, type SocketAddress } from "../names/endpoint.ts"
import { parentOf, patternText, type HostPattern } from "../names/hostname.ts"
import { didYouMean } from "../names/nearest.ts"
import { OUTGOING_MAIL } from "../route/route.ts"
import { reaches } from "./matches.ts"
import { checkRoutes } from "./route-checks.ts"
import { NAME, NAME_RIGHT } from "./schema.ts"
import { entry, type Draft } from "./shape.ts"
import type { Path, Source } from "./source.ts"

/** Adds every fault between the parts of `draft` to `source`. */
export function crossCheck(draft: Draft, source: Source): void {
  checkNames(source)
  checkBinds(draft, source)
  checkListenersFriends(draft, source)
  checkClaims(draft, source)
  checkTakenOver(draft, source)
  checkRelayName(draft, source)
  checkAddressesReached(draft, source)
  checkOutgoingMail(draft, source)
  checkRoutes(draft, source)
}

/** Names as the file has them: some words would be lost or mean something else as keys of a JavaScript object. */
function checkNames(source: Source): void {
  for (const place of ["listeners", "friends"]) {
    for (const name of source.keysAt([place])) {
      if (!NAME.test(name)) source.faultAtKey([place, name], `"${name}" cannot be a name`, NAME_RIGHT)
      if (place === "listeners" && name === OUTGOING_MAIL)
        source.faultAtKey([place, name], `"${name}" is what friends' outgoing mail is called`, "another name")
    }
  }
}

type Bound = { readonly listener: string; readonly bind: SocketAddress; readonly path: Path }

/** One address and port belongs to one listener; a wildcard takes every address of its family (port 0 takes a free one). */
function checkBinds(draft: Draft, source: Source): void {
  const earlier: Bound[] = []
  for (const [listener, { bind: binds }] of Object.entries(draft.listeners)) {
    for (const [index, bind] of (binds ?? []).entries()) {
      const clash = earlier.find((other) => overlap(other.bind, bind))
      const path: Path = ["listeners", listener, "bind", index]
      if (clash)
        source.faultAt(path, `${endpointText(bind)} is bound by ${clash.listener} already`, "another address or port")
      earlier.push({ listener, bind, path })
    }
  }
}

function overlap(left: SocketAddress, right: SocketAddress): boolean {
  if (left.port !== right.port || left.port === 0) return false
  if (left.address === right.address) return true
  const sameFamily = left.address.includes(":") === right.address.includes(":")
  return sameFamily && [left.address, right.address].some((address) => address === "::" || address === "0.0.0.0")
}

function checkListenersFriends(draft: Draft, source: Source): void {
  for (const [name, listener] of Object.entries(draft.listeners)) {
    for (const key of ["friend", "default"] as const) {
      const friend = listener[key]
      if (friend !== undefined) checkNamedFriend({ listener: name, key, friend }, draft, source)
    }
    if (listener.default !== undefined && listener.protocol && listener.protocol !== "tls") {
      source.faultAtKey(
        ["listeners", name, "default"],
        `default means nothing on protocol ${listener.protocol}`,
        "only tls listeners have it",
      )
    }
    for (const key of ["greet-wait", "odmr"] as const) {
      if (listener[key] === undefined || !listener.protocol || listener.protocol === "smtp") continue
      source.faultAtKey(
        ["listeners", name, key],
        `${key} means nothing on protocol ${listener.protocol}`,
        "only smtp listeners have it",
      )
    }
    if (listener.friend !== undefined && listener.protocol === "tunnel") {
      source.faultAtKey(
        ["listeners", name, "friend"],
        "a tunnel listener belongs to no friend",
        "leave it out; every friend's box attaches here",
      )
    }
  }
}

function checkNamedFriend(
  named: { listener: string; key: "friend" | "default"; friend: string },
  draft: Draft,
  source: Source,
): void {
  const path: Path = ["listeners", named.listener, named.key]
  const friend = entry(draft.friends, named.friend)
  if (!friend) {
    source.faultAt(
      path,
      `there is no friend "${named.friend}"`,
      didYouMean(named.friend, Object.keys(draft.friends), "friends"),
    )
  } else if (named.key === "default" && friend.routes && !Object.hasOwn(friend.routes, named.listener)) {
    source.faultAt(
      path,
      `${named.friend} has no route for ${named.listener}`,
      `add ${named.listener}: under friends, ${named.friend}, routes`,
    )
  }
}

/** Addresses are one friend's everywhere; names are one friend's on each listener. */
function checkClaims(draft: Draft, source: Source): void {
  const holders = new Map<string, string>()
  const claim = (what: string, where: string, friend: string, path: Path): void => {
    const holder = holders.get(`${where} ${what}`)
    if (holder === undefined) holders.set(`${where} ${what}`, friend)
    else if (holder !== friend)
      source.faultAt(path, `${what} is ${holder}'s already${where && ` on ${where}`}`, "one of the two gives it up")
    else if (where === "") source.faultAt(path, `${what} is listed twice`, "once is enough")
  }
  for (const [friend, { addresses, domains, routes }] of Object.entries(draft.friends)) {
    for (const [index, address] of (addresses ?? []).entries())
      claim(address, "", friend, ["friends", friend, "addresses", index])
    for (const listener of Object.keys(routes ?? {})) {
      for (const [index, domain] of (domains ?? []).entries())
        claim(patternText(domain), listener, friend, ["friends", friend, "domains", index])
    }
  }
}

/** A name that is taken over is one of the friend's, or stands below a wildcard of his. */
function checkTakenOver(draft: Draft, source: Source): void {
  for (const [friend, { domains, "takes-over": takesOver }] of Object.entries(draft.friends)) {
    for (const [index, taken] of (domains && takesOver ? takesOver : []).entries()) {
      if (domains?.some((domain) => covers(domain, taken))) continue
      source.faultAt(
        ["friends", friend, "takes-over", index],
        `${patternText(taken)} is not among ${friend}'s domains`,
        "list it there too, or leave it out",
      )
    }
  }
}

function covers(domain: HostPattern, { name, wildcard }: HostPattern): boolean {
  if (domain.wildcard === wildcard) return domain.name === name
  return domain.wildcard && parentOf(name) === domain.name
}

/** Whoever asks for the relay by name must not reach a friend's box, and the relay's certificate is not the friend's. */
function checkRelayName(draft: Draft, source: Source): void {
  const relayName = draft.relay.name
  if (!relayName) return
  for (const [friend, { domains }] of Object.entries(draft.friends)) {
    for (const [index, domain] of (domains ?? []).entries()) {
      const path: Path = ["friends", friend, "domains", index]
      if (covers(domain, { name: relayName, wildcard: false }))
        source.faultAt(
          path,
          `${patternText(domain)} covers the relay's own name ${relayName}`,
          "names of the friend's own",
        )
    }
  }
}

/** Outgoing mail leaves from an address that is the friend's alone, or not at all. */
function checkOutgoingMail(draft: Draft, source: Source): void {
  for (const [friend, { addresses, "outgoing-mail": outgoing }] of Object.entries(draft.friends)) {
    if (!outgoing || addresses === undefined || addresses.length > 0) continue
    source.faultAtKey(
      ["friends", friend, OUTGOING_MAIL],
      `${friend} has no address to send from`,
      `list it under friends, ${friend}, addresses: one that is ${friend}'s alone`,
    )
  }
}

/** An address of a friend's own is of use where one of the friend's listeners is bound to it, or for outgoing mail. */
function checkAddressesReached(draft: Draft, source: Source): void {
  for (const [friend, { addresses, routes, "outgoing-mail": outgoing }] of Object.entries(draft.friends)) {
    if (outgoing) continue
    const listeners = Object.keys(routes ?? {}).flatMap((name) => entry(draft.listeners, name) ?? [])
    const known = listeners.flatMap(({ bind, "accept-proxy": acceptProxy }) =>
      bind && acceptProxy ? [{ bind, "accept-proxy": acceptProxy }] : [],
    )
    if (known.length < listeners.length) continue
    for (const [index, address] of (addresses ?? []).entries()) {
      if (known.some((listener) => reaches(listener, address))) continue
      const path: Path = ["friends", friend, "addresses", index]
      source.faultAt(
        path,
        `no listener that ${friend} has a route for is bound to ${address}`,
        "add it to a listener's bind, or leave it out",
      )
    }
  }
}
