/** The client's part of XMPP before TLS, towards a friend's server (RFC 6120 §5.4): opens a stream and asks for TLS. */
import type { FaultCode } from "../../faults/faults.ts"
import type { Hostname } from "../../names/hostname.ts"
import type { Script } from "../player.ts"
import { BEGIN_TLS, close, say, type Wishes } from "../prelude.ts"
import { TLS_NAMESPACE } from "./server-part.ts"
import { readTag, type Tag } from "./tag.ts"

export class XmppClientPart implements Script<Tag> {
  readonly part = "client"
  readonly unitsMax = TAGS_MAX
  readonly greeting: string
  #awaiting: "stream" | "features" | "end of features" | "proceed" = "stream"
  #offersTls = false

  /** `domain`: the one that the client asked for. */
  constructor({ domain }: { readonly domain: Hostname }) {
    const names = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
    this.greeting = `<?xml version='1.0'?><stream:stream ${names} to='${domain}' version='1.0'>`
  }

  read(received: Uint8Array) {
    return readTag(received, "skip text") // features may list the names of mechanisms
  }

  heard(tag: Tag): Wishes {
    if (tag.name === "stream:error") return [close("HOME_REFUSES", "a stream error")]
    switch (this.#awaiting) {
      case "stream":
        if (tag.kind === "declaration") return []
        return tag.name === "stream:stream" && tag.kind === "start" ? this.#await("features") : malformed(tag)
      case "features":
        return tag.name === "stream:features" && tag.kind === "start" ? this.#await("end of features") : malformed(tag)
      case "end of features":
        this.#offersTls ||= tag.name === "starttls" && tag.attributes.get("xmlns") === TLS_NAMESPACE
        return tag.name === "stream:features" && tag.kind === "end" ? this.#startTls() : []
      case "proceed":
        if (tag.name !== "proceed" || tag.kind !== "empty") return [close("HOME_WITHOUT_TLS", `<${tag.name}>`)]
        return tag.attributes.get("xmlns") === TLS_NAMESPACE ? [BEGIN_TLS] : malformed(tag)
    }
  }

  farewell(_code: FaultCode): string {
    return "</stream:stream>"
  }

  #await(next: "features" | "end of features"): Wishes {
    this.#awaiting = next
    return []
  }

  #startTls(): Wishes {
    if (!this.#offersTls) return [say(this.farewell("HOME_WITHOUT_TLS")), close("HOME_WITHOUT_TLS", "not a feature")]
    this.#awaiting = "proceed"
    return [say(`<starttls xmlns='${TLS_NAMESPACE}'/>`)]
  }
}

/** Ours: a stream and its features are about twenty tags. */
const TAGS_MAX = 50

function malformed(tag: Tag): Wishes {
  return [close("HOME_MALFORMED", `<${tag.name}> does not come here`)]
}
