/**
 * AUTH (RFC 4954) for servers that fetch their mail: CRAM-MD5 (RFC 2195), which RFC 2645 §5.1 demands, and PLAIN (RFC 4616)
 * over TLS. Lines in, what to say out; no socket. What is wrong is never told apart: an unknown name is a wrong password.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import { fault, type Fault } from "../../faults/faults.ts"

/** `challenge`: base64, for 334; the next line is the response to it. */
export type LoginStep =
  | { readonly kind: "challenge"; readonly text: string }
  | { readonly kind: "claim"; readonly name: string; readonly proves: (secret: string) => boolean }
  | { readonly kind: "refused"; readonly why: Fault }

export type Mechanism = "CRAM-MD5" | "PLAIN"

const AUTH = /^AUTH +(?<mechanism>[A-Z0-9_-]{1,20})(?: +(?<initial>[A-Za-z0-9+/]+={0,2}|=))? *$/i
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** RFC 2195 §2: name, a space, and the digest in lower-case hexadecimal. */
const CRAM_RESPONSE = /^(?<name>.{1,200}) (?<digest>[0-9a-f]{32})$/
/** RFC 4616 §2: nobody acts for another here, so the first part is empty or the name. */
const PLAIN_RESPONSE = /^(?<as>[^\0]{0,200})\0(?<name>[^\0]{1,200})\0(?<password>[^\0]{1,1000})$/

/** `challenge`: unlike any other before, as `<random.time@relay>`; asked for CRAM-MD5 only. */
export function beginLogin(line: string, offered: readonly Mechanism[], challenge: () => string): Login | Fault {
  const given = AUTH.exec(line)?.groups
  const mechanism = offered.find((one) => one === given?.["mechanism"]?.toUpperCase())
  if (!given) return fault("COMMAND_MALFORMED", "AUTH")
  if (!mechanism) return fault("MECHANISM_UNKNOWN", given["mechanism"] ?? "")
  return new Login(mechanism, given["initial"], mechanism === "CRAM-MD5" ? challenge() : "")
}

export class Login {
  readonly #mechanism: Mechanism
  readonly #initial: string | undefined
  readonly #challenge: string

  constructor(mechanism: Mechanism, initial: string | undefined, challenge: string) {
    this.#mechanism = mechanism
    this.#initial = initial
    this.#challenge = challenge
  }

  begin(): LoginStep {
    if (this.#initial === undefined) return { kind: "challenge", text: Buffer.from(this.#challenge).toString("base64") }
    // RFC 4954 §4: with a mechanism where the server speaks first there is no initial response.
    return this.#mechanism === "PLAIN" ? this.respond(this.#initial) : no("COMMAND_MALFORMED")
  }

  respond(line: string): LoginStep {
    if (line === "*" || !BASE64.test(line)) return no("COMMAND_MALFORMED")
    const text = Buffer.from(line, "base64").toString()
    return this.#mechanism === "CRAM-MD5" ? this.#cram(text) : plain(text)
  }

  #cram(text: string): LoginStep {
    const given = CRAM_RESPONSE.exec(text)?.groups
    if (!given) return no("LOGIN_WRONG")
    const proves = (secret: string): boolean =>
      same(createHmac("md5", secret).update(this.#challenge).digest("hex"), given["digest"] ?? "")
    return { kind: "claim", name: given["name"] ?? "", proves }
  }
}

function plain(text: string): LoginStep {
  const given = PLAIN_RESPONSE.exec(text)?.groups
  if (!given || (given["as"] !== "" && given["as"] !== given["name"])) return no("LOGIN_WRONG")
  return { kind: "claim", name: given["name"] ?? "", proves: (secret) => same(secret, given["password"] ?? "") }
}

/** In a time that says nothing about either, not even how long they are. */
function same(left: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest()
  return timingSafeEqual(digest(left), digest(right))
}

function no(code: "COMMAND_MALFORMED" | "LOGIN_WRONG"): LoginStep {
  return { kind: "refused", why: fault(code, "AUTH") }
}
