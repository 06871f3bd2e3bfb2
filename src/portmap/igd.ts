/**
 * UPnP Internet Gateway Device (IGD:1 and 2, WANIPConnection): finds the router's control page and asks there for a mapping of one TCP port.
 * Pure: text in and out. What a router sends is searched for the few elements that are needed, and believed in nothing else.
 */
import { refused, type ParsedWhole } from "../bytes/parsed.ts"
import type { Port, SocketAddress } from "../names/endpoint.ts"
import { ipAddress, type IpAddress } from "../names/ip-address.ts"

/** UPnP Device Architecture 1.1 §1.1: where devices are asked for. */
export const SSDP_PORT = 1900
/** Ours: descriptions of real routers have 2 to 20 kB. */
export const IGD_PAGE_BYTES_MAX = 65_536

/** UPnP Device Architecture 1.1 §1.3.2; unicast, because only our own router is asked. */
export function writeSearch({ address, port }: SocketAddress): Uint8Array {
  const lines = [
    "M-SEARCH * HTTP/1.1",
    `HOST: ${address}:${port}`,
    'MAN: "ssdp:discover"',
    "MX: 1",
    "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1",
  ]
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`)
}

/** Where a page of the router is: always on the router itself. */
export type Page = { readonly at: SocketAddress; readonly path: string }

/** Reads the answer to a search: where the router's description is. Any other host than the router is refused. */
export function readSearch(datagram: Uint8Array, router: IpAddress): ParsedWhole<Page, string> {
  const text = Buffer.from(datagram.subarray(0, IGD_PAGE_BYTES_MAX)).toString("latin1")
  const location = /^location:[ \t]*(\S+)[ \t]*\r?$/im.exec(text)?.[1]
  if (!text.startsWith("HTTP/1.1 200") || location === undefined) return refused("it is no UPnP router")
  const page = pageAt(location, undefined)
  return page?.at.address === router ? { kind: "value", value: page } : refused("it names another host than itself")
}

export type Control = { readonly page: Page; readonly service: string }

const SERVICE = /^urn:schemas-upnp-org:service:WAN(?:IP|PPP)Connection:[12]$/

/** Finds where a connection to the outside is controlled in the description that was read at `described`. */
export function readDescription(xml: string, described: Page): ParsedWhole<Control, string> {
  for (const [, block = ""] of xml.matchAll(/<service>([\s\S]*?)<\/service>/gi)) {
    const service = element(block, "serviceType")
    const url = element(block, "controlURL")
    const page = url === undefined ? undefined : pageAt(url, described)
    if (service === undefined || !SERVICE.test(service) || page?.at.address !== described.at.address) continue
    return { kind: "value", value: { page, service } }
  }
  return refused("its UPnP description has no connection to control")
}

/** `url` may be relative to where it was read. */
function pageAt(url: string, from: Page | undefined): Page | undefined {
  const base = from && `http://${from.at.address}:${from.at.port}${from.path}`
  const read = URL.parse(url, base)
  const address = read && ipAddress(read.hostname)
  if (read?.protocol !== "http:" || !address) return undefined
  return { at: { address, port: Number(read.port || "80") }, path: `${read.pathname}${read.search}` }
}

export type IgdAction = "AddPortMapping" | "DeletePortMapping" | "GetExternalIPAddress"

export type IgdMapping = {
  readonly internal: SocketAddress
  readonly externalPort: Port
  readonly lifetimeSeconds: number
}

/** WANIPConnection:2 §2.5.16. */
export function writeAddMapping({ internal, externalPort, lifetimeSeconds }: IgdMapping): readonly Argument[] {
  return [
    ...which(externalPort),
    ["NewInternalPort", internal.port],
    ["NewInternalClient", internal.address],
    ["NewEnabled", 1],
    ["NewPortMappingDescription", "waypost"],
    ["NewLeaseDuration", lifetimeSeconds],
  ]
}

/** WANIPConnection:2 §2.5.18. */
export function writeDeleteMapping(externalPort: Port): readonly Argument[] {
  return which(externalPort)
}

type Argument = readonly [name: string, value: string | number]

function which(externalPort: Port): readonly Argument[] {
  return [
    ["NewRemoteHost", ""],
    ["NewExternalPort", externalPort],
    ["NewProtocol", "TCP"],
  ]
}

/** UPnP Device Architecture 1.1 §3.2.1. No value of ours has a character that XML would mind. */
export function writeAction(service: string, action: IgdAction, given: readonly Argument[]): string {
  const values = given.map(([name, value]) => `<${name}>${value}</${name}>`).join("")
  return (
    '<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
    `<u:${action} xmlns:u="${service}">${values}</u:${action}></s:Body></s:Envelope>\r\n`
  )
}

/** WANIPConnection:2 §2.5.16.5 and UPnP Device Architecture 1.1 §3.2.2. */
const REFUSALS = new Map([
  ["401", "it does not know the request"],
  ["402", "it finds the request malformed"],
  ["501", "it could not do it"],
  ["606", "its owner allows no mappings"],
  ["718", "the port is mapped for somebody else already"],
  ["725", "it maps for ever or not at all"],
  ["728", "it has no room for another mapping"],
  ["729", "the port is taken by another service of the router"],
])

/** What the router says to an action: why not, or nothing. */
export function readRefusal(status: number, xml: string): string | undefined {
  if (status === 200) return undefined
  const code = element(xml, "errorCode")
  return REFUSALS.get(code ?? "") ?? `it answers with ${code ?? status}`
}

/** The answer to GetExternalIPAddress; `undefined` while the router has none. */
export function readExternalAddress(xml: string): IpAddress | undefined {
  return ipAddress(element(xml, "NewExternalIPAddress") ?? "")
}

function element(xml: string, name: string): string | undefined {
  return new RegExp(`<(?:[\\w-]+:)?${name}[^>]*>([^<]*)</`, "i").exec(xml)?.[1]?.trim()
}
