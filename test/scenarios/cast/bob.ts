/**
 * Bob: runs a relay in a process of its own, under the recorder. He says what he promises; here it is checked what he saw.
 * Erin, where she takes part, does the same.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { X509Certificate } from "node:crypto"
import { once } from "node:events"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect } from "@jest/globals"
import { systemClock } from "../../../src/clock/clock.ts"
import type { Config } from "../../../src/config/config.ts"
import { configFaultText, readConfig } from "../../../src/config/read-config.ts"
import { controlOf } from "../../../src/relay/ask-control.ts"
import { queueThrough } from "../../../src/relay/ask-queue.ts"
import { inviteFriend } from "../../../src/relay/invite.ts"
import { recorderArguments, RECORDING_VARIABLE } from "../../../src/lab/recorder/recording.ts"
import type { Engine } from "../../../src/net/engine.ts"
import { NOTHING_CHECKED } from "../../../src/policy/facts.ts"
import { judgeDirect } from "../../../src/policy/judge.ts"
import type { Verdict } from "../../../src/policy/verdict.ts"
import type { WarningCode } from "../../../src/policy/warnings.ts"
import { writeHashedRecipients } from "../../../src/route/hashed-recipients.ts"
import type { Protocol } from "../../../src/route/route.ts"
import type { SocketAddress } from "../../../src/names/endpoint.ts"
import { at } from "../../support/loopback.ts"
import { eventually } from "../../support/eventually.ts"
import { attachedBox, type AttachedBox } from "../../support/attached-box.ts"
import { keyPair } from "../../support/key-pair.ts"
import type { OtherInternet } from "../../support/other-internet.ts"
import { freePort } from "../../support/program.ts"
import { waypost, type Ran } from "../../support/waypost.ts"
import { memoryHas, type Witness as Remembered } from "../recorder/memory.ts"
import { containsInSomeSpelling } from "../recorder/search.ts"
import { INTERNET_FILE, type FromBob, type ToBob } from "./bob-messages.ts"
import type { Box } from "./box.ts"
import {
  configurationText,
  domainsOf,
  listOf,
  nameOf,
  type Carried,
  type Carries,
  type KnownPorts,
  type RelayPlace,
} from "./configuration.ts"
import type { Directory } from "./directory.ts"
import type { Story } from "./story.ts"
import { compare, isRecorded, sawWhatThePolicySays, sawWhatThePolicyWarnedOf, type Witness } from "./witness.ts"

type Running = Extract<FromBob, { said: "running" }>

/** The ports that others are told of, for one run. */
type Opened = { readonly folder: string; readonly engine: Engine["kind"]; readonly ports: KnownPorts }

export class Bob implements AsyncDisposable, Witness {
  readonly place: RelayPlace
  readonly #opened: Opened
  readonly #directory: Directory
  readonly story: Story
  readonly #heard: FromBob[] = []
  #carried: readonly Carried[] = []
  #process: ChildProcess | undefined
  #evil: ChildProcess | undefined
  #running: Running | undefined

  static async open(place: RelayPlace, directory: Directory, story: Story, engine: Engine["kind"]): Promise<Bob> {
    const folder = await mkdtemp(join(tmpdir(), "waypost-bob-"))
    const ports = { tunnel: await freePort(), https: await freePort(), dns: directory.nameServerPort }
    return new Bob(place, { folder, engine, ports }, directory, story)
  }

  private constructor(place: RelayPlace, opened: Opened, directory: Directory, story: Story) {
    this.place = place
    this.#opened = opened
    this.#directory = directory
    this.story = story
  }

  get operator(): RelayPlace["person"] {
    return this.place.person
  }

  get #folder(): string {
    return this.#opened.folder
  }

  /** His relay is told to carry for a friend, and does so when this has resolved; DNS leads to it. */
  async carries(box: Box, carries: Carries): Promise<void> {
    const answer = await this.#toldToCarry(box, carries)
    if (answer.said !== "running") throw new Error(`Bob's relay refuses: ${answer.why}`)
    this.#running = answer
    this.isNamed()
  }

  /** DNS leads to this relay, for everything that it carries. */
  isNamed(): void {
    for (const carried of this.#carried) if (this.#running) this.#leadTo(carried, this.#running)
  }

  /** `waypost invite`; the line goes to the friend, by a way that the story does not show. */
  async invites(box: Pick<Box, "person">, ...more: readonly "--replace"[]): Promise<string> {
    const friend = box.person.toLowerCase()
    const invited = await inviteFriend(this.#config(), friend, more.includes("--replace"), systemClock)
    if (invited.kind === "refused") throw new Error(`${this.operator} cannot invite ${friend}: ${invited.why}`)
    this.story.found(this.operator, `runs \`waypost ${["invite", friend, ...more].join(" ")}\``)
    return invited.line
  }

  /** Where boxes dial. */
  get tunnelPlace(): SocketAddress {
    return at(this.place.address, this.#opened.ports.tunnel)
  }

  /** Without a word: nothing answers at his address any more. */
  async dies(): Promise<void> {
    if (this.#process) await killed(this.#process)
    this.#process = undefined
    this.story.happens(`${this.operator}'s relay is killed`)
  }

  async isBack(): Promise<void> {
    this.#process = this.#start()
    const answer = await this.#next("running", "refused")
    if (answer.said !== "running") throw new Error(`Bob's relay does not start again: ${answer.why}`)
    this.#running = answer
    this.isNamed()
    this.story.happens(`${this.operator}'s relay is back`)
  }

  /** As `carries`, where the relay must refuse; resolves to why. */
  async refusesToCarry(box: Box, carries: Carries): Promise<string> {
    const answer = await this.#toldToCarry(box, carries)
    if (answer.said !== "refused") throw new Error("Bob's relay carries what it should have refused")
    this.story.found(this.operator, `is not allowed to carry it: ${inShort(answer.why)}`)
    return answer.why
  }

  /** Takes a friend's entry out of his file; his relay hears of it with the next thing that it is told. */
  strikesOut(box: Box): void {
    this.#carried = this.#carried.filter((carried) => carried.box !== box)
    this.story.happens(`${this.operator} strikes ${box.person} out of his file`)
  }

  /**
   * Beside the relay he runs a program that hides STARTTLS, at the same address and with the recorder in it; the box's
   * name leads there.
   */
  async hidesStartTlsFrom(box: Box, ownAddress: string, service: "smtp" | "imap" = "smtp"): Promise<void> {
    this.#directory.names(service, box.domain, await this.#strips(box, ownAddress, service))
    const whom = service === "smtp" ? `writes to ${box.person}` : `logs in at ${box.person}'s`
    this.story.happens(`Bob hides STARTTLS from everybody who ${whom}`)
  }

  /** The same on the way from his relay to a server outside; resolves to where connections must end for that. */
  async hidesStartTlsOf(box: Box): Promise<SocketAddress> {
    const where = await this.#strips(box, this.place.address, "smtp")
    this.story.happens(`Bob hides that ${box.person}'s server offers STARTTLS`)
    return where
  }

  async #strips(box: Box, ownAddress: string, service: "smtp" | "imap"): Promise<SocketAddress> {
    const child = this.#startProgram("bob-strips.ts", [ownAddress, box.address, String(box.portOf(service))])
    this.#evil = child
    const [port] = (await once(child, "message")) as [number]
    return at(ownAddress, port)
  }

  /** A friend's box at home attaches to his relay; programs there may ask it for connections to the outside. */
  async letsIn(box: Box): Promise<AttachedBox> {
    const wishes = { friend: box.person.toLowerCase(), address: this.place.address, outgoing: true }
    return attachedBox(this.#folder, this.#opened.ports.tunnel, box.portOf("tcp"), wishes)
  }

  /** From now on connections of his relay to the outside end at other places than they were made to. */
  async findsOutside(internet: OtherInternet): Promise<void> {
    await writeFile(join(this.#folder, INTERNET_FILE), JSON.stringify(internet))
  }

  /**
   * Beside the relay he runs a program that ends the visitors' TLS with a key of his own, which some authority has
   * certified for the friend's name, and passes on what it reads (RFC 8555 §8.3).
   */
  async standsBetween(box: Box): Promise<void> {
    const { https } = this.#opened.ports
    const forged = await keyPair(`certified.${box.domain}`, box.domain)
    const [key, cert] = [join(this.#folder, "forged-key.pem"), join(this.#folder, "forged-cert.pem")]
    await Promise.all([writeFile(key, forged.key, { mode: 0o600 }), writeFile(cert, forged.cert)])
    this.#directory.isKeyOf(this.operator, new X509Certificate(forged.cert).fingerprint256, forged.cert)
    this.#evil = this.#startProgram("bob-reads.ts", [this.place.address, String(https), box.domain, key, cert])
    await once(this.#evil, "message")
    this.#directory.names("https", box.domain, at(this.place.address, https))
    this.story.happens(`Bob has a certificate for ${box.domain} and ends its visitors' TLS`)
  }

  /** `waypost check` on his configuration, as it stands. */
  async checks(): Promise<Ran> {
    const ran = await waypost("check", "-c", join(this.#folder, "relay.yaml"))
    this.story.found(this.operator, `runs \`waypost check\`: exit code ${ran.code}`)
    return ran
  }

  /** `waypost queue`; resolves to why each message is still there. */
  async looksIntoTheQueue(): Promise<readonly string[]> {
    const ran = await waypost("queue", "--json", "-c", join(this.#folder, "relay.yaml"))
    const messages = JSON.parse(ran.out) as { recipients: { why?: string }[] }[]
    const reasons = messages.flatMap(({ recipients }) => recipients.map(({ why = "not tried yet" }) => why))
    const shown = reasons.map((why) => why.replace(/ \(.*$/s, "")) // details have ports in them
    this.story.found(this.operator, `runs \`waypost queue\`: ${shown.join("; ") || "nothing waits"}`)
    return reasons
  }

  /** Waits until nothing is kept any more. */
  async hasNothingLeft(): Promise<void> {
    const all = { id: undefined, friend: undefined }
    await eventually(
      "nothing waits at the relay",
      async () => (await queueThrough(controlOf(this.#config().relay.state)).list(all)).length === 0,
    )
    this.story.found(this.operator, "runs `waypost queue`: nothing waits")
  }

  /** Gives a friend the line with which he asks about his own mail. */
  async givesToken(box: Box): Promise<void> {
    const ran = await waypost("queue", "token", nameOf(box), "--json", "-c", join(this.#folder, "relay.yaml"))
    const { line } = JSON.parse(ran.out) as { line: string }
    await writeFile(this.#tokenOf(box), line, { mode: 0o600 })
    this.story.says(this.operator, box.person, "a token")
  }

  /** `waypost queue` with a friend's token; resolves to the ids that he sees. */
  async isAskedAboutMail(by: Box): Promise<readonly string[]> {
    const ran = await waypost("queue", "--json", "--token-file", this.#tokenOf(by))
    const messages = JSON.parse(ran.out) as readonly { id: string; recipients: { why?: string }[] }[]
    const reasons = messages.flatMap(({ recipients }) => recipients.map(({ why = "not tried yet" }) => why))
    this.story.says(by.person, this.operator, "why is my mail late?")
    this.story.says(
      this.operator,
      by.person,
      reasons.map((why) => why.replace(/ \(.*$/s, "")).join("; ") || "there is nothing of yours",
    )
    return messages.map(({ id }) => id)
  }

  #tokenOf(box: Box): string {
    return join(this.#folder, `${nameOf(box)}.token`)
  }

  /** So much time passes for the relay. */
  async waits(ms: number, inWords: string): Promise<void> {
    this.story.happens(inWords)
    await this.#ask({ tell: "turn", ms }, "turned")
  }

  /** His configuration as people would write it: with the ports that services usually have. */
  get configuration(): string | undefined {
    return this.#carried.length > 0 ? configurationText(this.place, this.#carried, "usual ports") : undefined
  }

  /** Whether his process held it in the clear on any of its sockets. */
  holds(what: string): Promise<boolean> {
    return isRecorded(join(this.#folder, "recording.jsonl"), what)
  }

  async saw(what: string): Promise<void> {
    if (!(await this.holds(what))) throw new Error(`Bob's process never held "${what}"`)
    this.story.found(this.operator, `held "${what}" in the clear`)
  }

  /** Neither the record nor his memory has it. */
  async didNotSee(what: string): Promise<void> {
    if (await this.holds(what)) throw new Error(`Bob's process held "${what}"`)
    if ((await this.remembers(what)) === "has it") throw new Error(`"${what}" is in the memory of Bob's process`)
    this.story.found(this.operator, `never held "${what}"`)
  }

  remembers(what: string): Promise<Remembered> {
    return memoryHas(this.#process?.pid ?? 0, what)
  }

  /** Whether any file of his state folder has it. */
  async keepsOnDisk(what: string): Promise<boolean> {
    const state = join(this.#folder, "state")
    const entries = await readdir(state, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    const contents = await Promise.all(files.map((file) => readFile(file).catch(() => Buffer.alloc(0)))) // gone meanwhile
    return contents.some((content) => containsInSomeSpelling(content, what))
  }

  /** The heart of every chapter. */
  sawWhatThePolicySays(route: string, what: string): Promise<void> {
    return sawWhatThePolicySays(this, route, what)
  }

  /** Nothing of it lies in his state folder; the policy says that he keeps some of what passes at the most. */
  async keepsNothingOf(route: string, what: string): Promise<void> {
    const { extent } = this.verdict(route).findings.keep
    const kept = await this.keepsOnDisk(what)
    expect({ route, what, kept, extent }).toEqual({ route, what, kept: false, extent: "some" })
    this.story.found(this.operator, `has nothing of "${what}" on his disk`)
  }

  /** As `sawWhatThePolicySays`, about keeping: what lies in his state folder at this moment. */
  async keepsWhatThePolicySays(route: string, what: string): Promise<void> {
    const { level } = this.verdict(route).findings.keep
    const kept = await this.keepsOnDisk(what)
    expect({ route, what, kept }).toEqual({ route, what, kept: level === "yes" })
    this.story.found(this.operator, kept ? `keeps "${what}" on his disk` : `has nothing of "${what}" on his disk`)
  }

  /** Where he held it though the verdict is not `yes`. */
  sawWhatThePolicyWarnedOf(route: string, what: string, warning: WarningCode): Promise<void> {
    return sawWhatThePolicyWarnedOf(this, { route, what }, warning)
  }

  /** As `sawWhatThePolicyWarnedOf`, where he read because he posed as the friend, which is a power of its own. */
  async posedAsThePolicyWarnedOf(route: string, what: string): Promise<void> {
    const verdict = this.verdict(route)
    expect(verdict.findings.impersonate.level).toBe("by-attack")
    expect(verdict.warnings).toContain("WP104")
    if (!(await this.holds(what))) throw new Error(`Bob's process never held "${what}"`)
    this.story.found(this.operator, `held "${what}" in the clear, as WP104 warns`)
    compare(this, { what, route, verdict }, { recorder: "yes", memory: "not asked" }, "impersonate")
  }

  /** He runs no relay; what he could do all the same is what `judgeDirect` says. */
  isNotOnTheWay(route: string, protocol: Protocol, what: string): void {
    const [friend = "", listener = ""] = route.split("/")
    const verdict = judgeDirect({ friend, listener, protocol }, NOTHING_CHECKED)
    expect(verdict.findings.read.level).toBe("no")
    expect(this.#process).toBeUndefined()
    compare(this, { what, route, verdict }, { recorder: "there is no relay", memory: "there is no relay" })
  }

  verdict(route: string): Verdict {
    const verdict = this.#running?.verdicts.find(({ friend, listener }) => `${friend}/${listener}` === route)
    if (!verdict) throw new Error(`Bob's relay says nothing about ${route}`)
    return verdict
  }

  /** He was told when the relay started: `WP101 relay-reads-mail`. */
  async wasWarned(text: string, route: string): Promise<void> {
    await eventually(`Bob is warned: ${text}`, () =>
      this.#heard.some((one) => one.said === "warned" && one.text === text && one.route === route),
    )
    this.story.found(this.operator, `was warned at start: ${text}`)
  }

  wasNotWarned(): void {
    expect(this.#heard.filter(({ said }) => said === "warned")).toEqual([])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [this.#process, this.#evil]) if (child) await killed(child)
    await rm(this.#folder, { recursive: true })
  }

  async #toldToCarry(box: Box, carries: Carries): Promise<Exclude<FromBob, { said: "turned" | "warned" }>> {
    this.#carried = [...this.#carried.filter((carried) => carried.box !== box), { box, carries }]
    if (carries.hashedRecipients) {
      await writeFile(join(this.#folder, listOf(box)), writeHashedRecipients(carries.hashedRecipients))
      this.story.happens(`${box.person} gives Bob ${listOf(box)}, made with \`waypost recipients hash\``)
    }
    await writeFile(join(this.#folder, "relay.yaml"), configurationText(this.place, this.#carried, this.#opened.ports))
    if (this.#process) return this.#ask({ tell: "reload" }, "running", "refused")
    this.#process = this.#start()
    return this.#next("running", "refused")
  }

  #config(): Config {
    const read = readConfig(
      configurationText(this.place, this.#carried, this.#opened.ports),
      join(this.#folder, "relay.yaml"),
    )
    if (read.kind === "faults") throw new Error(read.faults.map(configFaultText).join("\n"))
    return read.config
  }

  #start(): ChildProcess {
    const child = this.#startProgram("bob-process.ts", [join(this.#folder, "relay.yaml")])
    child.on("message", (message: FromBob) => this.#heard.push(message))
    child.once("exit", (code) => this.#heard.push({ said: "refused", why: `it ended with ${code}` }))
    return child
  }

  /** Under the recorder; all his programs write into one record. */
  #startProgram(file: string, args: readonly string[]): ChildProcess {
    const program = fileURLToPath(new URL(file, import.meta.url))
    return spawn(process.execPath, [...recorderArguments(), program, ...args], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: {
        ...process.env,
        NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
        WAYPOST_ENGINE: this.#opened.engine,
        [RECORDING_VARIABLE]: join(this.#folder, "recording.jsonl"),
      },
    })
  }

  async #ask<Said extends FromBob["said"]>(
    message: ToBob,
    ...wanted: readonly Said[]
  ): Promise<Extract<FromBob, { said: Said }>> {
    this.#process?.send(message)
    return this.#next(...wanted)
  }

  /** The next message of one of these kinds. */
  #next<Said extends FromBob["said"]>(...wanted: readonly Said[]): Promise<Extract<FromBob, { said: Said }>> {
    const from = this.#heard.length
    const isWanted = (one: FromBob): one is Extract<FromBob, { said: Said }> => wanted.some((said) => said === one.said)
    return eventually(`Bob says ${wanted.join(" or ")}`, () => this.#heard.slice(from).find(isWanted))
  }

  /** DNS: the friend's names lead to her own address at Bob's, or to the one that all share. */
  #leadTo({ box, carries }: Carried, { bound }: Running): void {
    for (const service of ["smtp", "imap", "https", "http", "tcp"] as const) {
      const shared = service === "https" && carries.ipv6Only ? "::" : this.place.address
      const where = bound.find(
        ({ listener, asked }) => listener === service && asked.address === (carries.ownAddress ?? shared),
      )
      if (!where || !carries[service]) continue
      for (const domain of domainsOf({ box, carries })) this.#directory.names(service, domain, where.bound)
    }
  }
}

/** The code of a fault, or what is wrong with the file, without the place and the remedy. */
function inShort(why: string): string {
  const [, wrong] = /relay\.yaml:\d+:\d+: ([^;]+)/.exec(why) ?? []
  return wrong ?? why.replace(/:.*$/s, "")
}

/** Nothing of it is needed any more. */
async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, "exit")
  child.kill("SIGKILL")
  await ended
}
