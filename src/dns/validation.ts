/**
 * Whether the resolver validates, so that DANE can be done; found out by asking it and not by hoping. A resolver that
 * cannot do DNSSEC would otherwise stop all mail whose next hop is to be proved by DNS, or prove nothing without a word.
 */
import type { Clock } from "../clock/clock.ts"
import type { Log } from "../log/log.ts"
import type { Resolver } from "./resolver.ts"

/** `because` in words that follow "DANE is off because". `doubt`: it could not show it just now. */
export type Validation =
  { readonly kind: "on"; readonly doubt?: string } | { readonly kind: "off"; readonly because: string }

/** Ours: resolvers are mended, and packages replaced, while a relay runs. */
export const TEST_AGAIN_MS = 3_600_000
/** Ours: while it is off, mail goes with less protection than it could. */
export const TEST_AGAIN_OFF_MS = 5 * 60_000
/** FORMERR, NOTIMP, REFUSED: it does not do what we need, and says so. SERVFAIL is something else: it tried. */
const INCAPABLE: ReadonlySet<number> = new Set([1, 4, 5])

/**
 * Asks for the name servers of the root, which is signed. A SERVFAIL counts as on: somebody on the way can bring it
 * about, and must not switch protection off by it; the names themselves will then fail too, and their mail waits.
 */
export async function testValidation(resolver: Resolver): Promise<Validation> {
  const servers = resolver.servers.map(({ address }) => address).join(", ")
  if (resolver.disbelieved)
    return { kind: "off", because: `the resolver ${servers} is not on this machine, nor declared as trusted` }
  const answer = await resolver.resolve("", "NS")
  if (answer.kind === "failed") {
    const cannot = answer.rcode === undefined || INCAPABLE.has(answer.rcode)
    if (cannot) return { kind: "off", because: `the resolver cannot be asked: ${answer.because}` }
    return { kind: "on", doubt: answer.because }
  }
  return answer.secure ? { kind: "on" } : { kind: "off", because: `the resolver ${servers} does not validate` }
}

/** Tests at start, and again and again; says in the log what changes. */
export class ValidationWatch {
  readonly #resolver: Resolver
  readonly #clock: Clock
  readonly #log: Log
  #now: Validation | undefined
  #testing: Promise<Validation> | undefined
  #forget = (): void => {}
  #closed = false

  constructor(resolver: Resolver, { clock, log }: { clock: Clock; log: Log }) {
    this.#resolver = resolver
    this.#clock = clock
    this.#log = log
  }

  /** What the last test found; the first is waited for. */
  async state(): Promise<Validation> {
    return this.#now ?? this.#test()
  }

  /** What is known without asking; `undefined` before the first test has ended. */
  get known(): Validation | undefined {
    return this.#now
  }

  close(): void {
    this.#closed = true
    this.#forget()
  }

  #test(): Promise<Validation> {
    return (this.#testing ??= testValidation(this.#resolver).then((found) => {
      this.#testing = undefined
      this.#take(found)
      return found
    }))
  }

  #take(found: Validation): void {
    const before = this.#now
    // Once it has worked, silence is no reason to do without: mail waits until the resolver answers again.
    const silent = found.kind === "off" && before?.kind === "on" && found.because.startsWith("the resolver cannot be")
    this.#now = silent ? before : found
    if (found.kind === "off" && (before?.kind !== "off" || before.because !== found.because))
      this.#log.warn("DANE is off", { because: found.because })
    if (found.kind === "on" && before?.kind !== "on") this.#log.info("DANE is on", { doubt: found.doubt })
    if (this.#closed) return
    this.#forget = this.#clock.after(found.kind === "on" ? TEST_AGAIN_MS : TEST_AGAIN_OFF_MS, () => void this.#test())
  }
}
