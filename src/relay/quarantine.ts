/**
 * A relay's file held against whose its names were last: a name that was another friend's a short while ago is refused
 * at its place in the file, unless the friend's entry says `takes-over`.
 */
import { readFile } from "node:fs/promises"
import type { Clock, Instant } from "../clock/clock.ts"
import type { Config } from "../config/config.ts"
import { readConfig, type ConfigRead } from "../config/read-config.ts"
import { Source, type ConfigFault, type Path } from "../config/source.ts"
import { patternText } from "../names/hostname.ts"
import type { Friend } from "../route/route.ts"
import { carriedNamesIn, QUARANTINE_DAYS, QUARANTINE_MS, type CarriedName } from "../store/carried-names.ts"

/** Reads the file as a relay that is to run on it. Rejects with what the system says, or with STATE_DAMAGED. */
export async function readRelayFile(path: string, clock: Clock): Promise<ConfigRead> {
  const text = await readFile(path, "utf8")
  const read = readConfig(text, path)
  if (read.kind === "faults") return read
  const now = clock.now()
  const last = await carriedNamesIn(read.config.relay.state).last(now)
  const [first, ...more] = quarantineFaults(read.config, last, now, new Source(text, path))
  return first ? { kind: "faults", faults: [first, ...more] } : read
}

type Claim = { readonly name: string; readonly friend: Friend; readonly path: Path }

/** The faults of `config`, in the order of `source`, the text that it was read from. */
function quarantineFaults(
  config: Config,
  last: readonly CarriedName[],
  now: Instant,
  source: Source,
): readonly ConfigFault[] {
  const [before, after] = [Map.groupBy(last, nameOf), Map.groupBy(claimsOf(config), nameOf)]
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [was] = answering(name, before)
    for (const { friend, path } of answering(name, after)) {
      if (!was || was.friends.includes(friend.name) || takesOver(friend, name)) continue
      const whose = was.friends.join(" and ")
      source.faultAt(
        path,
        `${name} was carried for ${whose} less than ${QUARANTINE_DAYS} days ago`,
        `if ${whose} agreed, takes-over: ["${name}"] under ${friend.name}; else not before ${dayOf((was.until ?? now) + QUARANTINE_MS)}`,
      )
    }
  }
  return source.faultsInOrder
}

function claimsOf(config: Config): readonly Claim[] {
  return config.friends.flatMap((friend) =>
    friend.domains.map((domain, index) => ({
      name: patternText(domain),
      friend,
      path: ["friends", friend.name, "domains", index],
    })),
  )
}

/** What answers for a name, found as the route table does it: by the exact name, else by the wildcard over it. */
function answering<One>(name: string, all: ReadonlyMap<string, readonly One[]>): readonly One[] {
  return all.get(name) ?? all.get(wildcardOver(name)) ?? []
}

function takesOver(friend: Friend, name: string): boolean {
  const taken: readonly string[] = friend.takesOver.map(patternText)
  return taken.includes(name) || taken.includes(wildcardOver(name))
}

/** `*.alice.example` for `www.alice.example`, and for itself. */
function wildcardOver(name: string): string {
  return name.replace(/^[^.]+/, "*")
}

function nameOf({ name }: { readonly name: string }): string {
  return name
}

function dayOf(at: Instant): string {
  return new Date(at).toISOString().slice(0, 10)
}
