/** The server's part of XMPP before TLS, towards a client (RFC 6120 §5.4): a stream whose only feature is STARTTLS. */
import { kindOf, type FaultCode } from "../../faults/faults.ts"
import { hostname, type Hostname } from "../../names/hostname.ts"
import type { Script } from "../player.ts"
import { BEGIN_TLS, close, GOODBYE, say, type Wishes } from "../prelude.ts"
import { readTag, type Tag } from "./tag.ts"

export const TLS_NAMESPACE = "urn:ietf:params:xml:ns:xmpp-tls"

export class XmppServerPart implements Script<Tag> {
  readonly part = "server"
  readonly unitsMax = TAGS_MAX
  readonly greeting = "" // the client's turn
  readonly #streamId: string
  #at: "nothing" | "stream" | "starttls" = "nothing"
  #domain: Hostname | undefined

  /** RFC 6120 §4.7.3: the stream's id must be unpredictable; it is made by whoever has dice. */
  constructor({ streamId }: { readonly streamId: string }) {
    this.#streamId = streamId
  }

  /** The domain that the client asks for, once it has opened its stream: to route by where the ClientHello names nobody. */
  get domain(): Hostname | undefined {
    return this.#domain
  }

  read(received: Uint8Array) {
    return readTag(received, "refuse text")
  }

  heard(tag: Tag): Wishes {
    if (tag.kind === "declaration") return this.#at === "nothing" ? [] : this.#leave("not-well-formed")
    if (tag.name === "stream:stream") return tag.kind === "end" ? [say("</stream:stream>"), GOODBYE] : this.#open(tag)
    if (tag.name !== "starttls" || this.#at === "nothing") return this.#leave("not-authorized")
    if (tag.kind !== "end" && tag.attributes.get("xmlns") !== TLS_NAMESPACE) return this.#leave("invalid-namespace")
    return this.#startTls(tag)
  }

  farewell(code: FaultCode): string {
    return this.#farewell("policy-violation", kindOf(code).tell)
  }

  #open(tag: Tag): Wishes {
    if (this.#at !== "nothing") return this.#leave("not-well-formed")
    if (tag.attributes.get("xmlns") !== "jabber:client") return this.#leave("invalid-namespace")
    this.#domain = hostname(tag.attributes.get("to") ?? "")
    this.#at = "stream"
    return [
      say(
        `${this.#header()}<stream:features><starttls xmlns='${TLS_NAMESPACE}'><required/></starttls></stream:features>`,
      ),
    ]
  }

  /** `<starttls …/>`, or a start tag and its end. */
  #startTls(tag: Tag): Wishes {
    if ((tag.kind === "end") !== (this.#at === "starttls")) return this.#leave("not-well-formed")
    this.#at = "starttls"
    return tag.kind === "start" ? [] : [say(`<proceed xmlns='${TLS_NAMESPACE}'/>`), BEGIN_TLS]
  }

  #header(): string {
    const from = this.#domain === undefined ? "" : ` from='${this.#domain}'`
    const names = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
    return `<?xml version='1.0'?><stream:stream ${names} id='${this.#streamId}'${from} version='1.0'>`
  }

  #leave(condition: StreamError): Wishes {
    return [say(this.#farewell(condition)), close("COMMAND_MALFORMED", condition)]
  }

  /** RFC 6120 §4.9.1.2: an error before the stream is open still needs a stream to be said in. */
  #farewell(condition: StreamError, tell = ""): string {
    const header = this.#at === "nothing" ? this.#header() : ""
    const text = tell && `<text xmlns='${ERROR_NAMESPACE}'>${tell.replaceAll("<", "&lt;")}</text>`
    const error = `<stream:error><${condition} xmlns='${ERROR_NAMESPACE}'/>${text}</stream:error>`
    return `${header}${error}</stream:stream>`
  }
}

const ERROR_NAMESPACE = "urn:ietf:params:xml:ns:xmpp-streams"

/** RFC 6120 §4.9.3. */
type StreamError = "invalid-namespace" | "not-authorized" | "not-well-formed" | "policy-violation"

/** Ours: a declaration, a stream and two tags of STARTTLS are four. */
const TAGS_MAX = 10
