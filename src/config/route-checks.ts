/** What has to hold inside one route: its listener exists, its mode is possible there, it can be found, and it leads elsewhere. */
import { endpointText, type Endpoint } from "../names/endpoint.ts"
import { hostname } from "../names/hostname.ts"
import { didYouMean } from "../names/nearest.ts"
import type { Protocol } from "../route/route.ts"
import { checkKernel } from "./kernel-checks.ts"
import { everyAddress, matchesFor, reaches } from "./matches.ts"
import type { FileListener, FileRoute } from "./schema.ts"
import { entry, type Draft, type DraftFriend } from "./shape.ts"
import type { Path, Source } from "./source.ts"

type Subject = {
  readonly friendName: string
  readonly friend: DraftFriend
  readonly listenerName: string
  readonly listener: Partial<FileListener>
  readonly route: Partial<FileRoute>
  readonly path: Path
}

/** Adds every fault of every route of `draft` to `source`. */
export function checkRoutes(draft: Draft, source: Source): void {
  for (const [friendName, friend] of Object.entries(draft.friends)) {
    for (const [listenerName, route] of Object.entries(friend.routes ?? {})) {
      const path: Path = ["friends", friendName, "routes", listenerName]
      const listener = entry(draft.listeners, listenerName)
      if (listener) checkRoute({ friendName, friend, listenerName, listener, route, path }, draft, source)
      else
        source.faultAtKey(
          path,
          `there is no listener "${listenerName}"`,
          didYouMean(listenerName, Object.keys(draft.listeners), "listeners"),
        )
    }
  }
}

function checkRoute(subject: Subject, draft: Draft, source: Source): void {
  checkMode(subject, source)
  checkBuilt(subject, source)
  checkKeys(subject, source)
  checkRecipients(subject, source)
  checkSeal(subject, source)
  checkSealedResults(subject, source)
  checkFound(subject, source)
  checkXclient(subject, source)
  checkOwner(subject, source)
  checkTarget(subject, draft, source)
  checkTls(subject, source)
  checkKernel(subject, source)
}

function checkMode({ listener, listenerName, route, path }: Subject, source: Source): void {
  if (listener.protocol === "tunnel") {
    source.faultAtKey(
      path,
      `${listenerName} is where boxes attach`,
      "no route starts at a tunnel listener; a route says to: box",
    )
  } else if (route.mode === "peer" && listener.protocol && listener.protocol in WITHOUT_PEER) {
    source.faultAt(
      [...path, "mode"],
      `peer is not possible on protocol ${listener.protocol}`,
      `dedicated: ${WITHOUT_PEER[listener.protocol]}`,
    )
  }
}

const NO_PASSWORDS = "people log in there, and the relay takes no passwords"

/** Why there is no peer mode. */
const WITHOUT_PEER: Partial<Readonly<Record<Protocol, string>>> = {
  tcp: "the relay cannot take part in a protocol it does not know",
  imap: NO_PASSWORDS,
  managesieve: NO_PASSWORDS,
  xmpp: NO_PASSWORDS,
}

/** What the design has and this version has not: accepted, it would promise what the relay does not do (docs/out-of-scope.md). */
function checkBuilt({ listener, route, path }: Subject, source: Source): void {
  if (route.mode === "peer" && listener.protocol === "tls") {
    const right = "dedicated; or peer on an http listener"
    source.faultAt([...path, "mode"], "peer on a tls listener is not in this version", right)
  }
  if (route.mode === "peer" && listener.protocol === "http" && route.cache) {
    source.faultAt([...path, "cache"], "the shared cache is not in this version", "cache: false, or leave it out")
  }
}

/** Where each optional key means something. */
type MailKey =
  | "recipients"
  | "recipients-file"
  | "tls"
  | "cut-through"
  | "xclient"
  | "authenticate"
  | "seal"
  | "greylist"
  | "block-lists"
const MEANT_FOR: { readonly [Key in MailKey | "engine" | "proxy" | "otherwise" | "cache"]: string } = {
  engine: "dedicated",
  proxy: "dedicated",
  otherwise: "dedicated smtp",
  recipients: "peer smtp",
  "recipients-file": "peer smtp",
  tls: "peer smtp",
  "cut-through": "peer smtp",
  xclient: "smtp",
  authenticate: "peer smtp",
  seal: "peer smtp",
  greylist: "peer smtp",
  "block-lists": "peer smtp",
  cache: "peer http",
}

function checkKeys({ listener, route, path }: Subject, source: Source): void {
  if (!route.mode || !listener.protocol) return
  const here = `${route.mode} ${listener.protocol}`
  for (const [key, place] of Object.entries(MEANT_FOR)) {
    const isMeant = [here, route.mode, listener.protocol].includes(place)
    if (key in route && route[key as keyof FileRoute] !== undefined && !isMeant) {
      source.faultAtKey([...path, key], `${key} means nothing on a ${here} route`, `only on ${place} routes`)
    }
  }
}

function checkRecipients({ route, path }: Subject, source: Source): void {
  if (route.recipients === undefined || route["recipients-file"] === undefined) return
  source.faultAtKey([...path, "recipients-file"], "recipients are given twice", "recipients or recipients-file")
}

/** Nobody but the box has the key, and it opens only what it is handed as a whole. */
function checkSeal({ route, path }: Subject, source: Source): void {
  if (route.mode !== "peer" || route.seal === undefined || !route.to || route.to.includes("box")) return
  source.faultAtKey([...path, "seal"], "sealed mail can only go to the friend's box, which opens it", "to: box")
}

/** What was found out stands above the content, and is known only when that is sealed already. */
function checkSealedResults({ route, path }: Subject, source: Source): void {
  if (route.seal === undefined || !route.authenticate) return
  source.faultAtKey([...path, "authenticate"], "results cannot be put above sealed mail", "seal or authenticate")
}

/** A route that nothing leads to is a mistake: an address, a port or a name has to tell this friend from the others. */
function checkFound({ friendName, friend, listener, listenerName, route, path }: Subject, source: Source): void {
  const { domains, addresses } = friend
  const { bind, protocol, "accept-proxy": acceptProxy, friend: owner } = listener
  if (!domains || !addresses || !bind || !protocol || !acceptProxy || !route.mode || protocol === "tunnel") return
  const matches = matchesFor(
    { name: friendName, domains, addresses },
    { bind, protocol, "accept-proxy": acceptProxy, friend: owner },
    { mode: protocol in WITHOUT_PEER ? "dedicated" : route.mode, otherwise: undefined }, // what is not possible is told
  )
  if (matches.length > 0) return
  const byNames = route.mode === "peer" || !WITHOUT_NAMES.has(protocol)
  const own = `an address of ${friendName}'s own that ${listenerName} is bound to, or friend: ${friendName} on the listener`
  source.faultAtKey(path, `nothing on ${listenerName} leads to ${friendName}`, byNames ? `domains, or ${own}` : own)
}

/** Where nothing that a visitor says names a host before the connection is carried. */
const WITHOUT_NAMES: ReadonlySet<Protocol> = new Set(["tcp", "http", "tunnel"])

/** Who has an address or a port of his own is reached without the relay speaking SMTP, so nobody could say XCLIENT. */
function checkXclient({ friendName, friend, listener, route, path }: Subject, source: Source): void {
  if (route.mode === "dedicated" && listener.protocol === "smtp" && route.xclient && route.otherwise !== "peer") {
    const right = "with otherwise: peer; proxy: xclient tells of what is carried"
    source.faultAtKey([...path, "xclient"], "xclient means nothing where no mail ends at the relay", right)
  }
  if (route.proxy !== "xclient" || !listener.protocol || !listener.bind || !listener["accept-proxy"]) return
  const bound = { bind: listener.bind, "accept-proxy": listener["accept-proxy"] }
  const own = listener.friend === friendName || (friend.addresses ?? []).some((address) => reaches(bound, address))
  if (listener.protocol === "smtp" && !own) return
  const where = listener.protocol === "smtp" ? `where ${friendName} has an address or port of ${friendName}'s own` : ""
  const wrong = `xclient is not possible ${where || `on ${listener.protocol}`}`
  source.faultAt([...path, "proxy"], wrong, "v1 or v2; xclient is said where friends share a port for mail")
}

function checkOwner({ friendName, listener, listenerName, path }: Subject, source: Source): void {
  if (listener.friend === undefined || listener.friend === friendName) return
  source.faultAtKey(
    path,
    `${listenerName} is ${listener.friend}'s listener`,
    `another listener, or no friend: ${listener.friend} there`,
  )
}

function checkTarget({ friend, listenerName, route, path }: Subject, draft: Draft, source: Source): void {
  const places: readonly (Endpoint | "box")[] = route.to ?? []
  const toBox = places.includes("box")
  if (toBox && places.length > 1)
    source.faultAt([...path, "to"], "box stands in a list", "box alone; a box has one tunnel to this relay")
  // Whose server fetches his mail (ATRN) needs no other way home.
  const fetches = friend["odmr-secret-file"] !== undefined && route.mode === "peer"
  const mayAttach = Object.values(draft.listeners).some((listener) => listener.protocol === "tunnel")
  if (toBox && !mayAttach && !fetches) {
    source.faultAt(
      [...path, "to"],
      "no listener lets a box attach",
      'add a listener, as in tunnel: { bind: ["0.0.0.0:7443"], protocol: tunnel }',
    )
  }
  if (route.service !== undefined && places.length > 0 && !toBox) {
    source.faultAtKey(
      [...path, "service"],
      `service means nothing without a box`,
      `only with to: box; ${listenerName} goes to an address`,
    )
  }
  for (const place of places) {
    const own = place !== "box" && listenerAt(place, draft)
    if (own)
      source.faultAt(
        [...path, "to"],
        `${endpointText(place)} is this relay's own listener ${own}: a loop`,
        "where the friend's server listens",
      )
  }
}

/** What a host publishes about its TLS is found by its name. */
function checkTls({ route, path }: Subject, source: Source): void {
  if (route.tls !== "published" && route.tls !== "dane-only") return
  const unnamed = (route.to ?? []).find((place) => place === "box" || hostname(place.host) === undefined)
  if (unnamed === undefined || (unnamed === "box" && route.tls === "published")) return
  const what = unnamed === "box" ? "box" : endpointText(unnamed)
  const right = 'a host name, as in "mx.dave.example:25", or tls: pin:sha256:…'
  source.faultAt([...path, "tls"], `${what} has no name that TLSA records could be found by`, right)
}

/** The listener of this relay that `place` leads back to. */
function listenerAt(place: Endpoint, draft: Draft): string | undefined {
  const found = Object.entries(draft.listeners).find(([, { bind }]) =>
    bind?.some(({ address, port }) => {
      const onHere = isLoopback(place.host) && address === everyAddress(address)
      return port === place.port && (address === place.host || onHere || place.host === draft.relay.name)
    }),
  )
  return found?.[0]
}

function isLoopback(host: string): boolean {
  return host === "::1" || host === "localhost" || /^127\.\d+\.\d+\.\d+$/.test(host)
}
