/**
 * The demo: Bob's relay between Carol and three homes. Alice's TLS ends at her own box; Dave lets Bob be an end, and so
 * does Erin, whose server is away. What Bob's process held and kept of everything that Carol sends is measured and
 * compared with what his relay says about itself.
 */
import { randomUUID } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Finding, Verdict } from "../../policy/verdict.ts"
import { askWeb, sendMail, type Target } from "./carol.ts"
import { LOOPBACK } from "./loopback.ts"
import type { Arrived, Seen } from "./post.ts"
import { openWorld, type RouteName, type World } from "./world.ts"

/** One thing that was sent, how it went, and whether what was said about it is what was measured. */
export type Exchange = {
  readonly route: RouteName
  readonly sent: string
  readonly outcome: string
  /** It came home. */
  readonly arrived: boolean
  readonly bobHeld: boolean
  readonly bobKept: boolean
  readonly policy: { readonly read: Finding; readonly keep: Finding }
  /**
   * It arrived, or waits for a home that is away; and Bob held and kept it exactly where his relay says "yes". Where it
   * says that only some is kept, that is what homes that are away are sent.
   */
  readonly isTrue: boolean
}

export type Command = { readonly does: string; readonly line: string }

export type Demo = AsyncDisposable & {
  readonly exchanges: readonly Exchange[]
  /** To be typed into another terminal while the demo is up. */
  readonly commands: readonly Command[]
}

/** `program`: the file that `node` runs as `waypost`. `seen` is told of everything that comes to a box later. */
export async function openDemo(program: string, seen: (what: Seen) => void): Promise<Demo> {
  await using undo = new AsyncDisposableStack()
  const folder = undo.adopt(await mkdtemp(join(tmpdir(), "waypost-demo-")), (path) => rm(path, { recursive: true }))
  const world = await openWorld({ program, folder, seen }, undo)
  const exchanges = await exchangeAll(world)
  const kept = undo.move()
  return { exchanges, commands: commandsFor(world), [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

async function exchangeAll(world: World): Promise<readonly Exchange[]> {
  const verdicts = await world.bob.verdicts()
  const exchanges: Exchange[] = []
  for (const sending of SENDINGS) exchanges.push(await exchange(sending, world, verdicts))
  return exchanges
}

/** What Carol sends where, with a mark in it. Resolves to the answer she gets. */
type Sending = {
  readonly route: RouteName
  readonly sent: string
  readonly send: (target: Target, mark: string) => Promise<string>
  /** Nobody is at home: it cannot arrive. */
  readonly away?: true
}

const SENDINGS: readonly Sending[] = [
  { route: "alice/https", sent: "GET https://alice.example/", send: ask },
  { route: "alice/smtp", sent: "mail to alice@alice.example", send: mailTo("alice@alice.example") },
  { route: "dave/http", sent: "GET http://dave.example/", send: ask },
  { route: "dave/smtp", sent: "mail to dave@dave.example", send: mailTo("dave@dave.example") },
  { route: "erin/smtp", sent: "mail to Erin, who is away", send: mailTo("erin@erin.example"), away: true },
]

async function ask(target: Target, mark: string): Promise<string> {
  const { status, text } = await askWeb(target, `/meet-me-at-noon/${mark}`)
  return text.includes(mark) ? `${status}${target.pinned ? ", her key" : ""}` : `${status} from somebody else`
}

function mailTo(to: string): Sending["send"] {
  return async (target, mark) => {
    const answer = await sendMail(target, to, `Meet me at noon. ${mark}\n`)
    return `${answer.slice(0, 3)}${target.pinned ? ", her key" : ""}`
  }
}

async function exchange(sending: Sending, world: World, verdicts: readonly Verdict[]): Promise<Exchange> {
  const { route, sent, away = false } = sending
  const policy = policyOf(route, verdicts)
  const mark = randomUUID()
  try {
    const { outcome, held, kept } = await (away ? stays(sending, world, mark) : arrives(sending, world, mark))
    const isTrue = held === (policy.read.level === "yes") && kept === saysKept(policy.keep, away)
    return { route, sent, outcome, arrived: !away, bobHeld: held, bobKept: kept, policy, isTrue }
  } catch (error) {
    const outcome = error instanceof Error ? error.message : String(error)
    const { held, kept } = await had(world, mark)
    return { route, sent, outcome, arrived: false, bobHeld: held, bobKept: kept, policy, isTrue: false }
  }
}

type Measured = Arrived & { readonly outcome: string }

async function arrives({ route, send }: Sending, { post, targets }: World, mark: string): Promise<Measured> {
  const arrival = post.arrival(mark)
  arrival.catch(() => {}) // it is awaited below, unless sending fails first
  const outcome = await send(targets[route], mark)
  return { outcome, ...(await arrival) }
}

async function stays({ route, send }: Sending, world: World, mark: string): Promise<Measured> {
  const outcome = await send(world.targets[route], mark)
  return { outcome, ...(await had(world, mark)) }
}

async function had({ bob }: World, mark: string): Promise<Arrived> {
  return { held: await bob.heldInClear(mark), kept: await bob.keepsOnDisk(mark) }
}

function saysKept({ level, extent }: Finding, away: boolean): boolean {
  return level === "yes" && (extent === "all" || away)
}

function policyOf(route: RouteName, verdicts: readonly Verdict[]): Exchange["policy"] {
  const verdict = verdicts.find(({ friend, listener }) => `${friend}/${listener}` === route)
  if (!verdict) throw new Error(`Bob's relay says nothing about ${route}`)
  return { read: verdict.findings.read, keep: verdict.findings.keep }
}

function commandsFor({ bob, targets, aliceCertificateFile: ca }: World): readonly Command[] {
  const { "alice/https": web, "alice/smtp": mail, "dave/http": plainWeb, "dave/smtp": plainMail } = targets
  const at = ({ address, port }: Target): string => `${address}:${port}`
  const resolve = ({ name, address, port }: Target): string => `--resolve ${name}:${port}:${address}`
  return [
    {
      does: "Alice's page, her own key, through Bob",
      line: `curl --cacert ${ca} ${resolve(web)} https://${web.name}:${web.port}/`,
    },
    {
      does: "the key that Alice's mail server shows",
      line: `openssl s_client -brief -starttls smtp -CAfile ${ca} -servername ${mail.name} -connect ${at(mail)} </dev/null`,
    },
    {
      does: "a mail to Alice, encrypted up to her box",
      line: `swaks --tls --to alice@alice.example --from you@carol.example --server ${at(mail)}`,
    },
    {
      does: "Dave's page, which Bob can read",
      line: `curl ${resolve(plainWeb)} http://${plainWeb.name}:${plainWeb.port}/`,
    },
    {
      does: "a mail to Dave, which Bob passes on and could read",
      line: `swaks --to dave@dave.example --from you@carol.example --server ${at(plainMail)}`,
    },
    { does: "what Bob's relay says about itself", line: `curl http://${LOOPBACK}:${bob.admin.port}/verdicts` },
  ]
}
