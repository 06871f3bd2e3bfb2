/**
 * The program at somebody's home: joins relays with the lines that their operators gave, and stays attached, as
 * `waypost join` and `waypost box` do. It runs in the test's own process; what it says in its log is asked for here.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { boxIdentity, boxRecipient, startBox, type Box } from "../../../src/box/box.ts"
import { describeLink } from "../../../src/box/link.ts"
import { joinRelay, readInvitation, relayOf } from "../../../src/box/join.ts"
import { systemClock } from "../../../src/clock/clock.ts"
import type { BoxRelay, BoxService } from "../../../src/config/box-config.ts"
import type { SocketAddress } from "../../../src/names/endpoint.ts"
import type { Promised } from "../../../src/route/route.ts"
import { eventually } from "../../support/eventually.ts"
import { logInto, type Logged } from "../../support/relay.ts"
import type { Service } from "./directory.ts"
import type { Person } from "./ladder.ts"
import type { Story } from "./story.ts"

export type Joins = {
  /** What the relay may ask for, by name, and which service at home that is; web and mail under their own names if not given. */
  readonly serves?: Readonly<Record<string, Service>>
  readonly promise?: Promised
  /** `false`: the box does not visit its own name. */
  readonly probes?: false
  /** Another line than the one that the relay's operator would give now. */
  readonly line?: string
}

const WEB_AND_MAIL = { https: "https", http: "http", smtp: "smtp" } as const
export class BoxProgram implements AsyncDisposable {
  readonly #state: string
  readonly #person: Person
  readonly #place: (service: Service) => SocketAddress
  readonly #story: Story
  readonly #log: Logged[] = []
  #relays: readonly BoxRelay[] = []
  #how: Joins = {}
  #box: Box | undefined

  static async open(person: Person, place: (service: Service) => SocketAddress, story: Story): Promise<BoxProgram> {
    return new BoxProgram(await mkdtemp(join(tmpdir(), "waypost-box-")), person, place, story)
  }

  private constructor(state: string, person: Person, place: (service: Service) => SocketAddress, story: Story) {
    this.#state = state
    this.#person = person
    this.#place = place
    this.#story = story
  }

  recipient(): Promise<string> {
    return boxRecipient(this.#state)
  }

  /** Spends the line and attaches; rejects where the relay does not let it in. */
  async joins(line: string, operator: Person, how: Joins): Promise<void> {
    const invitation = readInvitation(line)
    if (!invitation) throw new Error(`this is no invitation: ${line}`)
    const identity = await boxIdentity(this.#state, systemClock)
    const shows = await joinRelay({ invitation, identity, promise: how.promise ?? "none", clock: systemClock })
    this.#relays = [...this.#relays, { ...relayOf(invitation, shows), name: operator.toLowerCase() }]
    this.#how = how
    await this.starts()
    await this.isAttachedTo(operator)
    this.#story.says(this.#person, operator, "a tunnel", operator)
  }

  /** As `joins`, where she must not get in; resolves to what she is told. */
  async isRefused(line: string, operator: Person): Promise<string> {
    const why = await this.joins(line, operator, {}).then(
      () => "",
      (error: Error) => error.message,
    )
    if (why === "") throw new Error(`${this.#person} got in at ${operator}'s`)
    this.#story.says(this.#person, operator, "a tunnel", operator)
    this.#story.found(this.#person, `is not let in: ${why.slice(why.lastIndexOf(": ") + 2)}`)
    return why
  }

  /** Runs with what it knows; it dials its relays from here on. */
  async starts(): Promise<void> {
    await this.#box?.stop()
    const { serves = WEB_AND_MAIL, probes = true, promise = "none" } = this.#how
    const services = new Map(Object.entries(serves).map(([name, service]) => [name, this.#served(service, probes)]))
    const outside = { clock: systemClock, log: logInto(this.#log), dice: () => 0 } // no wait is longer than it must be
    const config = { state: this.#state, promise, relays: this.#relays, services, outgoing: undefined }
    this.#box = await startBox(config, outside)
  }

  async stops(): Promise<void> {
    await this.#box?.stop()
    this.#box = undefined
    this.#story.happens(`${this.#person}'s home is off the network`)
  }

  async isAttachedTo(operator: Person): Promise<void> {
    await eventually(`${this.#person} is attached to ${operator}`, () => this.#link(operator)?.link.at === "up")
  }

  /** The tunnel is not up, and `waypost box status` says this; `shown` is what of it stays the same in every run. */
  async isNotAttached(operator: Person, shown: string): Promise<void> {
    await eventually(`${this.#person}'s box says: ${shown}`, () => this.stands(operator).includes(shown))
    this.#story.found(this.#person, `\`waypost box status\`: ${shown}`)
  }

  /** What `waypost box status` says of a relay. */
  stands(operator: Person): string {
    const status = this.#link(operator)
    return status ? describeLink(status.link, systemClock.now()) : "stopped"
  }

  /** Its log has such a line; the fields are those that the story names. */
  async logged(event: string, fields: Readonly<Record<string, string>>, inWords: string): Promise<void> {
    await eventually(`${this.#person}'s box logs "${event}"`, () =>
      this.#log.some(
        (line) => line.event === event && Object.entries(fields).every(([name, is]) => line.fields[name] === is),
      ),
    )
    this.#story.found(this.#person, inWords)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#box?.stop()
    await rm(this.#state, { recursive: true })
  }

  #link(operator: Person) {
    return this.#box?.status().find(({ relay }) => relay === operator.toLowerCase())
  }

  #served(service: Service, probe: boolean): BoxService {
    const { address, port } = this.#place(service)
    return { to: { host: address, port }, proxy: "none", probe }
  }
}
