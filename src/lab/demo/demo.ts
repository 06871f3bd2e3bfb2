/**
 * The demo: Bob's relay between Carol and two homes. Alice's TLS ends at her own box; Dave lets Bob be an end. One request
 * and one mail go to each, and what Bob's process held and kept of them is measured and compared with what his relay
 * says about itself.
 */
import { randomUUID } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Finding, Verdict } from "../../policy/verdict.ts"
import { askWeb, sendMail, type Target } from "./carol.ts"
import { LOOPBACK } from "./loopback.ts"
import type { Seen } from "./post.ts"
import { openWorld, type RouteName, type World } from "./world.ts"

/** One thing that was sent, how it went, and whether what was said about it is what was measured. */
export type Exchange = {
  readonly route: RouteName
  readonly sent: string
  readonly outcome: string
  readonly arrived: boolean
  readonly bobHeld: boolean
  readonly bobKept: boolean
  readonly policy: { readonly read: Finding; readonly keep: Finding }
  /** It arrived, and Bob held and kept it exactly where his relay says "yes". */
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
}

const SENDINGS: readonly Sending[] = [
  { route: "alice/https", sent: "GET https://alice.example/", send: ask },
  { route: "alice/smtp", sent: "mail to alice@alice.example", send: mailTo("alice@alice.example") },
  { route: "dave/http", sent: "GET http://dave.example/", send: ask },
  { route: "dave/smtp", sent: "mail to dave@dave.example", send: mailTo("dave@dave.example") },
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

async function exchange(
  { route, sent, send }: Sending,
  { bob, post, targets }: World,
  verdicts: readonly Verdict[],
): Promise<Exchange> {
  const policy = policyOf(route, verdicts)
  const mark = randomUUID()
  const arrival = post.arrival(mark)
  arrival.catch(() => {}) // it is awaited below, unless sending fails first
  try {
    const outcome = await send(targets[route], mark)
    const { held, kept } = await arrival
    const isTrue = held === (policy.read.level === "yes") && kept === (policy.keep.level === "yes")
    return { route, sent, outcome, arrived: true, bobHeld: held, bobKept: kept, policy, isTrue }
  } catch (error) {
    const outcome = error instanceof Error ? error.message : String(error)
    const bobHeld = await bob.heldInClear(mark)
    return {
      route,
      sent,
      outcome,
      arrived: false,
      bobHeld,
      bobKept: await bob.keepsOnDisk(mark),
      policy,
      isTrue: false,
    }
  }
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
      does: "a mail to Dave, which Bob keeps and delivers",
      line: `swaks --to dave@dave.example --from you@carol.example --server ${at(plainMail)}`,
    },
    { does: "what Bob's relay says about itself", line: `curl http://${LOOPBACK}:${bob.admin.port}/verdicts` },
  ]
}
