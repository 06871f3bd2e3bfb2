/** Puts up the demo's world: two homes and one that is away, a relay between them and everybody else, and the names that lead there. */
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { ownCertificate, type OwnCertificate } from "../../cert/own-certificate.ts"
import { hostname } from "../../names/hostname.ts"
import { openBob, type Bob } from "./bob.ts"
import { openBox, type Box } from "./box.ts"
import type { Target } from "./carol.ts"
import { ALICES_OWN, LOOPBACK } from "./loopback.ts"
import { Post, type Seen } from "./post.ts"

export type RouteName = "alice/https" | "alice/smtp" | "dave/smtp" | "dave/http" | "erin/smtp"

export type World = {
  readonly bob: Bob
  readonly post: Post
  readonly targets: Readonly<Record<RouteName, Target>>
  readonly aliceCertificateFile: string
}

export type WorldOptions = {
  /** The file that `node` runs as `waypost`. */
  readonly program: string
  /** Empty; everything the world writes is in it. */
  readonly folder: string
  readonly seen: (what: Seen) => void
}

/** TCPMUX (RFC 1078), which nobody has served for decades: Erin is away. */
const NOBODYS_PORT = 1

/** What it opens is closed by `closing`, also when it rejects. */
export async function openWorld(
  { program, folder, seen }: WorldOptions,
  closing: AsyncDisposableStack,
): Promise<World> {
  const tls = await alicesOwn(join(folder, "alice"))
  const aliceCertificateFile = join(folder, "alice.pem")
  await writeFile(aliceCertificateFile, tls.cert)
  const post = new Post(seen)
  const received = post.take.bind(post)
  const alice = closing.use(await openBox({ name: "alice.example", tls, received }))
  const dave = closing.use(await openBox({ name: "dave.example", received }))
  const bob = closing.use(await openBob({ program, folder, configuration: configuration(alice, dave) }))
  post.watch(bob)
  return { bob, post, aliceCertificateFile, targets: targetsAt(bob, tls.cert) }
}

function targetsAt({ bound }: Bob, pinned: string): World["targets"] {
  const at = (place: string): { address: string; port: number } => {
    const where = bound.get(place)
    if (!where) throw new Error(`Bob's relay does not listen as ${place}`)
    return where
  }
  return {
    "alice/https": { name: "alice.example", ...at(`https ${LOOPBACK}:0`), pinned },
    "alice/smtp": { name: "alice.example", ...at(`smtp ${ALICES_OWN}:0`), pinned },
    "dave/smtp": { name: "relay.bob.example", ...at(`smtp ${LOOPBACK}:0`) },
    "dave/http": { name: "dave.example", ...at(`http ${LOOPBACK}:0`) },
    "erin/smtp": { name: "relay.bob.example", ...at(`smtp ${LOOPBACK}:0`) },
  }
}

async function alicesOwn(folder: string): Promise<OwnCertificate> {
  const name = hostname("alice.example")
  if (!name) throw new Error("alice.example is a host name")
  await mkdir(folder)
  return ownCertificate(folder, name)
}

function configuration(alice: Box, dave: Box): string {
  return `relay: { name: relay.bob.example, state: ./state, admin: "${LOOPBACK}:0" }
listeners:
  smtp: { bind: ["${LOOPBACK}:0", "${ALICES_OWN}:0"], protocol: smtp }
  https: { bind: ["${LOOPBACK}:0"], protocol: tls }
  http: { bind: ["${LOOPBACK}:0"], protocol: http }
friends:
  alice:
    promise: sealed
    domains: [alice.example]
    addresses: [${ALICES_OWN}]
    routes:
      https: { mode: dedicated, to: "${LOOPBACK}:${alice.webPort}" }
      smtp: { mode: dedicated, to: "${LOOPBACK}:${alice.mailPort}" }
  dave:
    domains: [dave.example]
    routes:
      smtp: { mode: peer, to: "${LOOPBACK}:${dave.mailPort}", recipients: [dave] }
      http: { mode: peer, to: "${LOOPBACK}:${dave.webPort}" }
  erin:
    domains: [erin.example]
    routes:
      smtp: { mode: peer, to: "${LOOPBACK}:${NOBODYS_PORT}", recipients: [erin] }
`
}
