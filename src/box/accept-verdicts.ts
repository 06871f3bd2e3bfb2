/**
 * What a box says to the verdicts that its relay shows it. The relay computes them from its own routes; the box does not
 * take its word for the bytes, only for the intention: a relay that says it will read is turned away here, and one that
 * says it will not and does is found by the self-probe.
 */
import * as z from "zod"
import type { AgeRecipient } from "../names/age-recipient.ts"
import type { Promised } from "../route/route.ts"

const verdictSchema = z.object({
  friend: z.string(),
  listener: z.string(),
  mode: z.string(),
  findings: z.object({ read: z.object({ level: z.enum(["no", "by-attack", "yes"]) }) }),
})

/** Where visitors find what a dedicated TLS route carries: at which names, and at which port of the relay. */
const entranceSchema = z.object({
  service: z.string(),
  names: z.array(z.string()),
  /** Not given: wherever the relay was dialled. */
  host: z.string().optional(),
  port: z.number().int().min(1).max(65_535),
})

const shownSchema = z.object({
  /** The relay's name: what DNS is to point at. */
  relay: z.string(),
  /** What the relay carries for this friend. */
  domains: z.array(z.string()),
  verdicts: z.array(verdictSchema),
  entrances: z.array(entranceSchema).default([]),
  /** Whom kept mail is sealed to, by listener. */
  seals: z.array(z.object({ listener: z.string(), to: z.string() })).default([]),
})

/** What the relay says when a box attaches (docs/tunnel-protocol.md §2). */
export type RelayShows = z.output<typeof shownSchema>

export type Shown =
  | { readonly kind: "accepted"; readonly shows: RelayShows }
  | { readonly kind: "broken"; readonly routes: readonly string[] }
  | { readonly kind: "unreadable" }

/** Holds the relay's JSON against the owner's promise. What cannot be read breaks every promise. */
export function acceptVerdicts(json: string, promise: Promised): Shown {
  const read = shownSchema.safeParse(parsed(json))
  if (!read.success) return { kind: "unreadable" }
  const readable = read.data.verdicts.filter(({ findings }) => findings.read.level === "yes")
  if (promise === "none" || readable.length === 0) return { kind: "accepted", shows: read.data }
  return { kind: "broken", routes: readable.map(({ friend, listener }) => `${friend}/${listener}`) }
}

/** The listeners whose kept mail is sealed to none of these: nobody here can open it. */
export function sealedToOthers({ seals }: RelayShows, own: readonly AgeRecipient[]): readonly string[] {
  const isOwn = (to: string) => own.some((recipient) => recipient === to)
  return seals.flatMap(({ listener, to }) => (isOwn(to) ? [] : [listener]))
}

/** One line for people. */
export function describeSeals(sealedToOthers: readonly string[]): string {
  return `SEALED_TO_ANOTHER: mail kept at ${sealedToOthers.join(", ")} is sealed to another key than this box's, which cannot open it`
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
