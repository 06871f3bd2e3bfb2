/** The cast of one scene and everything between them; all of it is gone when the scene ends. */
import { X509Certificate } from "node:crypto"
import { ipAddress } from "../../../src/names/ip-address.ts"
import type { Engine } from "../../../src/net/engine.ts"
import { nameServer, type Zone } from "../../support/name-server.ts"
import { Bob } from "./bob.ts"
import { Box } from "./box.ts"
import { BOBS, ERINS } from "./configuration.ts"
import { Carol, CAROLS_ADDRESS } from "./carol.ts"
import { Directory } from "./directory.ts"
import { Eve } from "./eve.ts"
import type { ScenePage } from "./page.ts"
import { Story } from "./story.ts"
import { Stranger } from "./stranger.ts"

export type World = AsyncDisposable & {
  readonly alice: Box
  readonly dave: Box
  readonly bob: Bob
  /** Runs a relay as Bob does. */
  readonly erin: Bob
  readonly carol: Carol
  readonly eve: Eve
  readonly stranger: Stranger
  readonly directory: Directory
  readonly story: Story
  page(): Omit<ScenePage, "title">
}

/** What Carol says of her domain: mail in its name comes from her address, and all else is to be refused. */
const WHO_MAY_SEND: Zone = {
  "carol.example TXT": [`v=spf1 ip4:${CAROLS_ADDRESS} -all`],
  "_dmarc.carol.example TXT": ["v=DMARC1; p=reject"],
}

/** `engine`: what moves the bytes in Bob's relay; the recorder sees all of them only with the JavaScript one. */
export async function openWorld(engine: Engine["kind"] = "javascript"): Promise<World> {
  await using undo = new AsyncDisposableStack()
  const [directory, story] = [new Directory(), new Story()]
  const alice = undo.use(await Box.open("Alice", "127.0.1.1", story))
  const dave = undo.use(await Box.open("Dave", "127.0.1.2", story))
  directory.nameServerPort = undo.use(await nameServer(WHO_MAY_SEND)).at.port
  const bob = undo.use(await Bob.open(BOBS, directory, story, engine))
  const erin = undo.use(await Bob.open(ERINS, directory, story, engine))
  for (const box of [alice, dave]) leadHome(box, directory)
  const eve = undo.use(new Eve(directory, story))
  const kept = undo.move()
  return {
    alice,
    dave,
    bob,
    erin,
    eve,
    carol: new Carol(directory, story),
    stranger: new Stranger(directory, story),
    directory,
    story,
    page: () => ({ configuration: bob.configuration ?? story.told, steps: story.steps, compared: story.compared }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** As long as no relay is on the way, names lead to the boxes themselves. */
function leadHome(box: Box, directory: Directory): void {
  const address = ipAddress(box.address)
  if (!address) throw new Error(`${box.address} is an address`)
  for (const service of ["smtp", "imap", "https", "http", "tcp"] as const) {
    directory.names(service, box.domain, { address, port: box.portOf(service) })
  }
  const { cert } = box.own
  directory.isKeyOf(box.person, new X509Certificate(cert).fingerprint256, cert)
}
