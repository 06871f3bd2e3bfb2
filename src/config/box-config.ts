/** The configuration of the box at home: which relays it dials, what it serves through them, what its owner was promised. */
import { dirname, resolve } from "node:path"
import * as z from "zod"
import { socketAddress, type Endpoint, type Port, type SocketAddress } from "../names/endpoint.ts"
import type { Promised, ProxyOut } from "../route/route.ts"
import { NAME, folder, leaf, oneOrMore, withPort } from "./schema.ts"
import { readShaped } from "./shape.ts"
import { Source, type ConfigFault } from "./source.ts"

export type BoxConfig = {
  /** The folder with the box's own key, absolute. */
  readonly state: string
  readonly promise: Promised
  readonly relays: readonly BoxRelay[]
  readonly services: ReadonlyMap<string, BoxService>
  /** `undefined`: nothing at home may ask for connections to the outside. */
  readonly outgoing: BoxOutgoing | undefined
}

/** Where programs at home ask for connections to mail servers outside, from the owner's addresses at the relays. */
export type BoxOutgoing = {
  readonly listen: SocketAddress
  /** Who alone may; `undefined`: whoever reaches the port. */
  readonly login: { readonly user: string; readonly password: string } | undefined
}

/** One relay, known by its key. */
export type BoxRelay = {
  readonly name: string
  /** Tried in turn. */
  readonly at: readonly [Endpoint, ...Endpoint[]]
  /** SHA-256 of the relay's public key, base64url. */
  readonly key: string
  /** Whether what is TLS end to end may come over plain TCP beside the tunnel. */
  readonly carriers: boolean
}

/** What the relay may ask for by name, and where at home it is. `probe`: its key is compared with what visitors see. */
export type BoxService = {
  readonly to: Endpoint
  readonly proxy: ProxyOut
  readonly probe: boolean
  /** The port at which visitors may come without a relay, where the home router lets them; not given: never. */
  readonly direct?: Port | undefined
}

export type BoxConfigRead =
  | { readonly kind: "config"; readonly config: BoxConfig }
  | { readonly kind: "faults"; readonly faults: readonly [ConfigFault, ...ConfigFault[]] }

const place = leaf((text) => withPort(text), "a host with a port", 'host and port, as in "127.0.0.1:443"')

const serviceSchema = z
  .union([
    place.transform((to) => ({ to, proxy: "none" as const, probe: true })),
    z.strictObject({
      to: place,
      proxy: z.enum(["none", "v1", "v2"]).meta({ description: "none, v1 or v2" }).default("none"),
      probe: z.boolean().meta({ description: "true or false" }).default(true),
      direct: z.number().int().min(1).max(65_535).meta({ description: "a port, as in 443" }).optional(),
    }),
  ])
  .meta({
    description: 'where the service listens at home, as in "127.0.0.1:443" or { to: "127.0.0.1:443", proxy: v2 }',
  })

const boxRelaySchema = z
  .strictObject({
    at: oneOrMore(place, 'host and port, as in "relay.bob.example:7443", or a list of them'),
    key: leaf(keyPin, "a relay's key", "the 43 characters behind # in the invitation"),
    carriers: z.boolean().meta({ description: "true or false" }).default(true),
  })
  .meta({ description: "a map with at and key" })

const outgoingSchema = z
  .strictObject({
    listen: leaf(socketAddress, "an address with a port", 'address and port, as in "127.0.0.1:1025"'),
    user: loginPart("the user that programs have to name"),
    password: loginPart("the password that goes with user"),
  })
  .meta({ description: 'a map with listen, as in { listen: "127.0.0.1:1025" }' })

export const boxFileSchema = z
  .strictObject({
    state: leaf(folder, "a folder", "a folder, from where this file is; the box's key is kept inside").default(
      "./box-state",
    ),
    promise: z
      .enum(["none", "sealed"])
      .meta({ description: "none, or sealed: the box does not attach to a relay that can read" })
      .default("none"),
    relays: z.record(z.string().regex(NAME), boxRelaySchema).meta({ description: "a map from names to relays" }),
    services: z
      .record(z.string().regex(NAME), serviceSchema)
      .meta({ description: "a map from names to services" })
      .default({}),
    outgoing: outgoingSchema.optional(),
  })
  .meta({ description: "a map with relays and services" })

/** Reads box.yaml; all faults at once, each with its place. Relative paths start from where `file` is. */
export function readBoxConfig(text: string, file: string): BoxConfigRead {
  const source = new Source(text, file)
  const content = source.content === undefined ? undefined : readShaped(boxFileSchema, source).content
  const { user, password } = content?.outgoing ?? {}
  if ((user === undefined) !== (password === undefined)) {
    source.faultAt(["outgoing"], "user and password go together", "both, or neither")
  }
  if (content && Object.keys(content.relays).length === 0) {
    source.faultAt(["relays"], "no relay is listed", "at least one: `waypost join` adds it")
  }
  const [first, ...more] = source.faultsInOrder
  if (first) return { kind: "faults", faults: [first, ...more] }
  if (!content) throw new Error("a file without content and without faults") // readShaped tells one of the two
  return { kind: "config", config: built(content, dirname(resolve(file))) }
}

function built(content: z.output<typeof boxFileSchema>, base: string): BoxConfig {
  return {
    state: resolve(base, content.state),
    promise: content.promise,
    relays: Object.entries(content.relays).map(([name, relay]) => ({ name, ...relay })),
    services: new Map(Object.entries(content.services)),
    outgoing: content.outgoing && builtOutgoing(content.outgoing),
  }
}

function builtOutgoing({ listen, user, password }: z.output<typeof outgoingSchema>): BoxOutgoing {
  return { listen, login: user !== undefined && password !== undefined ? { user, password } : undefined }
}

/** RFC 1929 §2: 1 to 255 octets; RFC 7617 §2: no colon in the user. Neither may hold what no header can. */
function loginPart(what: string) {
  return leaf((text) => (LOGIN_PART.test(text) ? text : undefined), "a user or password", what).optional()
}

const LOGIN_PART = /^[\x21-\x39\x3b-\x7e]{1,255}$/

function keyPin(text: string): string | undefined {
  return /^[A-Za-z0-9_-]{43}$/.test(text) ? text : undefined
}

/** What `waypost join` writes for a new box: the same content with a comment for every key. */
export function boxConfigText(
  config: Pick<BoxConfig, "promise" | "relays" | "services">,
  placeText: (place: Endpoint) => string,
): string {
  const relays = config.relays.map(({ name, at, key, carriers }) => [
    `  ${name}:`,
    `    at: [${at.map((where) => JSON.stringify(placeText(where))).join(", ")}]`,
    `    key: ${JSON.stringify(key)}`,
    ...(carriers ? [] : ["    carriers: false"]),
  ])
  const services = [...config.services].map(([name, { to, proxy, probe, direct }]) => {
    const where = JSON.stringify(placeText(to))
    const more = `${proxy === "none" ? "" : `, proxy: ${proxy}`}${probe ? "" : ", probe: false"}${direct === undefined ? "" : `, direct: ${direct}`}`
    return more === "" ? `  ${name}: ${where}` : `  ${name}: { to: ${where}${more} }`
  })
  return [
    "# The box at home. `waypost box -c` runs it; docs/configuration.md explains every key.",
    "",
    "# The folder with this box's own key. Who has the key is the box: keep it, and keep it to yourself.",
    "state: ./box-state",
    "",
    "# sealed: do not attach to a relay that can read what it carries for us. none: attach, and only warn.",
    `promise: ${config.promise}`,
    "",
    "# The relays that this box dials, each known by its key. A tunnel to every one of them is up all the time.",
    "relays:",
    ...relays.flat(),
    "",
    "# What the relays may ask for, by name, and where it listens at home. They can reach nothing else.",
    config.services.size === 0 ? "services: {}" : "services:",
    ...services,
    "",
  ].join("\n")
}
