/** Bob's configuration, written as he would write it. The relay reads it from a file like any other. */
import { createHash } from "node:crypto"
import { spkiSha256 } from "../../support/key-pair.ts"
import type { Box } from "./box.ts"

/** Who runs a relay, and where on loopback. */
export type RelayPlace = { readonly person: "Bob" | "Erin"; readonly name: string; readonly address: string }

export const BOBS: RelayPlace = { person: "Bob", name: "relay.bob.example", address: "127.0.2.1" }
export const ERINS: RelayPlace = { person: "Erin", name: "relay.erin.example", address: "127.0.2.2" }

/** What the relay is asked to do for a friend: a mode for each service, and what is agreed besides. */
export type Carries = {
  readonly smtp?: Mode
  readonly imap?: "dedicated"
  readonly https?: Mode
  readonly http?: Mode
  /** Any protocol, on a port of the friend's own. */
  readonly tcp?: "dedicated"
  /** The names that are carried for the friend, if not the box's own. */
  readonly domains?: readonly string[]
  /** Those of them that another friend has given up, as Bob says. */
  readonly takesOver?: readonly string[]
  /** An address of the relay's machine that is this friend's alone. */
  readonly ownAddress?: string
  readonly promise?: "sealed"
  /** What may pass on all dedicated connections of this friend together, "50kB/s". */
  readonly rate?: string
  /** The friend's box comes to the relay, and the routes lead through its tunnel. */
  readonly byTunnel?: true
  /** Peer mail by the tunnel: whom kept mail is encrypted to. */
  readonly sealedTo?: string
  /** What the relay asks the box for on the port of the friend's own, if not for the listener's name. */
  readonly asksFor?: string
  /** HTTPS is taken on IPv6 alone; what answers on IPv4 is another program. */
  readonly ipv6Only?: true
  /** Gets HTTPS visitors who name nobody. */
  readonly getsTheNameless?: boolean
  /** Peer mail: who may be written to. */
  readonly recipients?: readonly string[]
  /** The same, as hashes in a file that the friend made. */
  readonly hashedRecipients?: readonly string[]
  /** Peer mail: `false` where every mail is kept before it is passed on. */
  readonly cutThrough?: false
  /** Peer mail: strangers are asked to come again before their mail is kept. */
  readonly greylist?: true
  /** Peer mail: the friend's server is told who each mail is from. */
  readonly authenticate?: true
  /** Senders of mail that failed after it was taken are told, whoever they are. */
  readonly tellsSenders?: true
  /** The friend asks about his own mail, where boxes attach. */
  readonly asksAboutMail?: true
  /** Dedicated mail on a shared address: what senders get whose TLS names nobody. */
  readonly otherwise?: "refuse" | "peer"
  /** The friend's box may send mail from `ownAddress`. */
  readonly outgoingMail?: true
  /** Peer mail: what TLS to the friend's server has to prove. */
  readonly tls?: "pinned"
}

type Mode = "dedicated" | "peer"
export type Carried = { readonly box: Box; readonly carries: Carries }

const SERVICES = ["smtp", "imap", "https", "http", "tcp"] as const
type Service = (typeof SERVICES)[number]
const PROTOCOLS = { smtp: "smtp", imap: "imap", https: "tls", http: "http", tcp: "tcp" } as const
const USUAL_PORTS = { smtp: 25, imap: 143, https: 443, http: 80, tcp: 7 } as const
const USUAL_TUNNEL_PORT = 7443

/** Ports that others are told of, so that they are the same in all of one run. */
export type KnownPorts = { readonly tunnel: number; readonly https: number; readonly dns: number }

/** The text of the file; for a page (`usual ports`), with ports that are the same in every run. */
export function configurationText(
  place: RelayPlace,
  all: readonly Carried[],
  ports: KnownPorts | "usual ports",
): string {
  const known = ports === "usual ports" ? { tunnel: USUAL_TUNNEL_PORT, https: USUAL_PORTS.https, dns: 53 } : ports
  const tunnels = all.some(({ carries }) => carries.byTunnel || carries.outgoingMail || carries.asksAboutMail)
  const bindPort = (service: Service): number => {
    if (ports === "usual ports") return USUAL_PORTS[service]
    return service === "https" && tunnels ? known.https : 0
  }
  const homePort = (box: Box, service: Service): number =>
    ports === "usual ports" ? USUAL_PORTS[service] : box.portOf(service)
  const seal = (recipient: string): string => (ports === "usual ports" ? EXAMPLE_RECIPIENT : recipient)
  const pinOf: PinOf = ({ own, person }) =>
    `pin:sha256:${ports === "usual ports" ? exampleDigest(`the key of ${person}`) : spkiSha256(own)}`
  const tells = all.some(({ carries }) => carries.tellsSenders)
  const asks = all.some(({ carries }) => carries.authenticate)
  const resolver = asks ? `, resolver: { at: ["127.0.0.1:${known.dns}"] }` : ""
  return [
    `relay: { name: ${place.name}, state: ./state${tells ? ", tell-senders: everybody" : ""}${resolver} }`,
    "listeners:",
    ...SERVICES.flatMap((service) => listener(service, all, { address: place.address, port: bindPort(service) })),
    ...(tunnels ? [`  tunnel: { bind: ["${withPort(place.address, known.tunnel)}"], protocol: tunnel }`] : []),
    "friends:",
    ...all.flatMap((carried) => friend(carried, (service) => homePort(carried.box, service), { pin: pinOf, seal })),
    "",
  ].join("\n")
}

type PinOf = (box: Box) => string

/** From the specification of age. */
const EXAMPLE_RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

/** Keys are new in every run; a page is the same. */
function exampleDigest(ofWhat: string): string {
  return createHash("sha256").update(ofWhat).digest("hex")
}

function listener(service: Service, all: readonly Carried[], at: { address: string; port: number }): string[] {
  const served = all.filter(({ carries }) => carries[service])
  if (served.length === 0) return []
  const shared = service === "https" && served.some(({ carries }) => carries.ipv6Only) ? "::" : at.address
  const addresses = new Set(served.map(({ carries }) => carries.ownAddress ?? shared))
  const bind = [...addresses].map((address) => `"${withPort(address, at.port)}"`).join(", ")
  const nameless = served.find(({ carries }) => carries.getsTheNameless)
  const fallback = nameless && service === "https" ? `, default: ${nameOf(nameless.box)}` : ""
  const [owner] = served
  const owned = owner && service === "tcp" ? `, friend: ${nameOf(owner.box)}` : ""
  return [`  ${service}: { bind: [${bind}], protocol: ${PROTOCOLS[service]}${fallback}${owned} }`]
}

type Spellings = { readonly pin: PinOf; readonly seal: (recipient: string) => string }

function friend({ box, carries }: Carried, port: (service: Service) => number, { pin, seal }: Spellings): string[] {
  const routes = SERVICES.flatMap((service) => {
    const mode = carries[service]
    const recipients =
      service === "smtp" && carries.recipients ? `, recipients: [${carries.recipients.join(", ")}]` : ""
    const tls = service === "smtp" && carries.tls ? `, tls: "${pin(box)}"` : ""
    const otherwise = service === "smtp" && carries.otherwise ? `, otherwise: ${carries.otherwise}` : ""
    const cutThrough = service === "smtp" && carries.cutThrough === false ? ", cut-through: false" : ""
    const hashed = service === "smtp" && carries.hashedRecipients ? `, recipients-file: ${listOf(box)}` : ""
    const authenticate = service === "smtp" && carries.authenticate ? ", authenticate: true" : ""
    const greylist = service === "smtp" && carries.greylist ? ", greylist: true" : ""
    const sealedTo = service === "smtp" && carries.sealedTo ? `, seal: ${seal(carries.sealedTo)}` : ""
    const more = `${sealedTo}${authenticate}${greylist}${hashed}${recipients}${otherwise}${tls}${cutThrough}`
    const asked = service === "tcp" && carries.asksFor ? `, service: ${carries.asksFor}` : ""
    const to = carries.byTunnel ? `box${asked}` : `"${withPort(box.address, port(service))}"`
    return mode ? [`      ${service}: { mode: ${mode}, to: ${to}${more} }`] : []
  })
  return [
    `  ${nameOf(box)}:`,
    ...(carries.promise ? [`    promise: ${carries.promise}`] : []),
    `    domains: [${domainsOf({ box, carries }).join(", ")}]`,
    ...(carries.takesOver ? [`    takes-over: [${carries.takesOver.join(", ")}]`] : []),
    ...(carries.ownAddress ? [`    addresses: ["${carries.ownAddress}"]`] : []),
    ...(carries.rate ? [`    rate: ${carries.rate}`] : []),
    ...(carries.outgoingMail ? ["    outgoing-mail: true"] : []),
    "    routes:",
    ...routes,
  ]
}

/** The file with a friend's hashed recipients, beside Bob's configuration. */
export function listOf(box: Box): string {
  return `./${nameOf(box)}.recipients`
}

export function domainsOf({ box, carries }: Carried): readonly string[] {
  return carries.domains ?? [box.domain]
}

export function nameOf(box: Box): string {
  return box.person.toLowerCase()
}

function withPort(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`
}
