/** Makes the parts of a relay and gives them to each other. Each is closed by `closing`, also when a later one fails. */
import { mkdir } from "node:fs/promises"
import { ownCertificate } from "../cert/own-certificate.ts"
import { webProxy, type WebProxy } from "../http/web-proxy.ts"
import { chooseEngine } from "../net/choose-engine.ts"
import type { Engine } from "../net/engine.ts"
import { theInternet, type Internet } from "../net/internet.ts"
import { lateJournal, openDeliveredJournal, type DeliveredJournal } from "../smtp/delivery/delivered-journal.ts"
import { dialTcp } from "../smtp/delivery/dial.ts"
import { Checker } from "../smtp/auth/checker.ts"
import { CutThrough } from "../smtp/cut-through/cut-through.ts"
import { mailDelivery, wayOf, type DeliveryOptions, type MailDelivery } from "../smtp/delivery/mail-delivery.ts"
import { Strangers } from "../smtp/intake/strangers.ts"
import { mailServer, type MailServer } from "../smtp/intake/mail-server.ts"
import type { Log } from "../log/log.ts"
import type { Hostname } from "../names/hostname.ts"
import type { FriendName } from "../route/route.ts"
import { Rates } from "../smtp/intake/rates.ts"
import { RecipientLists } from "../smtp/intake/recipient-lists.ts"
import { auditTrail } from "../store/audit-trail.ts"
import { queueTokensIn } from "../store/queue-tokens.ts"
import { openGreylist, type Greylist } from "../store/greylist.ts"
import type { Spool } from "../store/spool.ts"
import { openSpool } from "../store/sqlite-spool.ts"
import { Accounts } from "./accounts.ts"
import { openAdmin } from "./admin.ts"
import { attachedBoxes, type Attached } from "./attached.ts"
import { boxes, type Boxes } from "./boxes.ts"
import { openControl } from "./control.ts"
import { FROM_THE_RELAY, reacher, type Reach } from "./reach.ts"
import { metricsOf, type Measured } from "./metrics.ts"
import { dailyNotes } from "./daily-notes.ts"
import { TlsReports } from "./tls-reports.ts"
import { doors, type Doors, type Now, type Outside } from "./doors.ts"
import type { Bound } from "./open-listeners.ts"
import { Outgoing } from "./outgoing.ts"
import { OutgoingAccounts } from "./outgoing-accounts.ts"
import { PreludeAccounts } from "./prelude-accounts.ts"
import { preludePart } from "./prelude-part.ts"
import type { HomeOffers } from "./home-offers.ts"
import { MailAccounts } from "./mail-accounts.ts"
import { KernelPath } from "./kernel-path.ts"
import { mailDns, type MailDns } from "./mail-dns.ts"
import { wakingPart } from "./waking-part.ts"
import { mailQueue } from "./mail-queue.ts"
import { queueDesk, type QueueDesk } from "./queue-desk.ts"
import { Traffic } from "./traffic.ts"

export type Parts = Doors & {
  readonly delivery: MailDelivery
  readonly mail: MailServer
  readonly web: WebProxy
  readonly attached: Attached
  readonly offers: HomeOffers
  readonly traffic: Traffic
  readonly kernel: KernelPath
  readonly admin: (Bound & { readonly descriptors: readonly number[] }) | undefined
  /** The spool and what else only one relay may have: closed before the rest when another relay waits for it. */
  readonly state: AsyncDisposable
}

/** The engine is the best one that runs here, and the internet the one that there is, if none is given. */
export type Given = Omit<Outside, "engine"> & {
  readonly engine?: Engine | undefined
  readonly internet?: Internet | undefined
}

/** Keys and other people's mail are in the state folder. */
const STATE_MODE = 0o700

export async function openParts(now: Now, outside: Given, closing: AsyncDisposableStack): Promise<Parts> {
  const { relay, limits } = now.standing.config
  await mkdir(relay.state, { recursive: true, mode: STATE_MODE })
  const state = closing.use(new AsyncDisposableStack())
  const free = outside.inherited?.predecessor?.stateFree
  const options = {
    log: outside.log,
    perFriendBytesMax: limits.spoolPerFriendBytesMax,
    perFriendMessagesMax: limits.messagesPerFriendMax,
    free,
  }
  const spool = state.adopt(await openSpool(relay.state, options), (opened) => opened.close())
  const accounts = new Accounts()
  const mailAccounts = new MailAccounts()
  const preludes = new PreludeAccounts()
  const outgoingAccounts = new OutgoingAccounts(outside.clock)
  const dns = await mailDns(relay, outside)
  closing.defer(() => dns.validation.close())
  const engine = closing.adopt(outside.engine ?? chooseEngine(outside), (opened) => opened.close())
  const traffic = closing.adopt(new Traffic(engine, outside.clock, outgoingAccounts), (counting) => counting.stop())
  const kernel = closing.adopt(new KernelPath(relay.state, outside.log, free !== undefined), (leading) =>
    leading.close(),
  )
  const counts = { accounts, mailAccounts, preludes, outgoing: outgoingAccounts, traffic, kernel }
  const about = { ...counts, spool, validation: dns.validation }
  const admin = await adminIfAsked(now, outside, about, closing)
  const tls = await ownCertificate(relay.state, relay.name, outside.clock)
  const attached = closing.adopt(attachedBoxes(), (all) => all.close())
  const reach = reacher(attached)
  const journal = state.adopt(journalOf(relay.state, outside.log, free), (opened) => opened.close())
  const greylist = closing.adopt(openGreylist(relay.state, outside.log), (opened) => opened.close())
  const asked = { name: relay.name, nameServers: dns.nameServers, ...outside }
  const checker = closing.adopt(new Checker(asked), (checking) => checking.close())
  const reports = state.adopt(
    new TlsReports({
      stateFolder: relay.state,
      name: relay.name,
      contact: () => now.standing.config.relay.tlsReports,
      dns: dns.resolver,
      spool,
      kept: () => delivery.nudge(),
      free,
      ...outside,
    }),
    (counting) => counting.stop(),
  )
  const needs = { spool, journal, greylist, tls, reach, mailAccounts, preludes, dns, checker, reports }
  const { delivery, mail, cutThrough } = mailParts(now, outside, needs)
  const lists = new RecipientLists(outside.clock, outside.log)
  const redirects = {
    mailRoute: (friend: FriendName, domain: Hostname) => now.standing.mailRoute(friend, domain),
    listIn: (file: string) => lists.of(file),
  }
  const trail = auditTrail(relay.state)
  const queue = mailQueue({
    name: relay.name,
    spool,
    delivery,
    trail,
    redirects,
    clock: outside.clock,
    log: outside.log,
  })
  const control = openedOnce(free, () => openControl(relay.state, { queue, traffic, preludes }, outside.log), state)
  if (!free) await control
  const web = webPart(now, outside, reach)
  const { prelude, offers } = preludePart(now, outside, { mail, reach, tls, accounts: preludes, traffic })
  closing.adopt(offers, (all) => all.stop())
  state.adopt(
    dailyNotes({
      stateFolder: relay.state,
      name: relay.name,
      wanted: () => now.standing.config.friends.flatMap(({ name, notesTo: to }) => (to ? [{ friend: name, to }] : [])),
      queue,
      spool,
      kept: () => delivery.nudge(),
      clock: outside.clock,
      log: outside.log,
    }),
    (notes) => notes.stop(),
  )
  const desk = closing.adopt(
    queueDesk({
      queue,
      tokens: queueTokensIn(relay.state),
      isFriend: (name) => now.standing.config.friends.some((friend) => friend.name === name),
      clock: outside.clock,
      log: outside.log,
    }),
    (open) => open.close(),
  )
  const outgoing = new Outgoing({
    config: () => now.standing.config,
    internet: outside.internet ?? theInternet,
    accounts: outgoingAccounts,
    splice: (left, right, options) => engine.splice(left, right, options),
    meterOf: (friend) => traffic.meterOf(friend),
    carrying: (ended) => attached.carrying(ended),
    log: outside.log,
  })
  const boxes = boxesPart(now, outside, {
    desk,
    tls,
    attached,
    delivery,
    cutThrough,
    offers,
    outgoing,
    traffic,
    preludes,
  })
  return {
    delivery,
    mail,
    web,
    attached,
    offers,
    admin,
    state,
    traffic,
    kernel,
    ...doors(now, { ...outside, engine }, { mail, web, boxes, prelude, accounts, traffic }, closing),
  }
}

async function adminIfAsked(
  now: Now,
  { clock, inherited }: Given,
  about: Omit<Measured, "friends" | "now">,
  closing: AsyncDisposableStack,
): Promise<Parts["admin"]> {
  const asked = now.standing.config.relay.admin
  if (!asked) return undefined
  const friends = (): readonly string[] => now.standing.config.friends.map(({ name }) => name)
  const sources = {
    verdicts: () => now.standing.verdicts,
    traffic: () => about.traffic.all(),
    metrics: () => metricsOf({ ...about, friends: friends(), now: clock.now() }),
  }
  const [given] = inherited?.sockets.take(asked) ?? []
  const { bound, descriptors } = closing.use(await openAdmin(asked, sources, given))
  return { listener: "admin", asked, bound, descriptors }
}

/** Opens it once the folder is free; not at all if the relay is stopped before. */
async function openedOnce(
  free: Promise<void> | undefined,
  open: () => Promise<AsyncDisposable>,
  closing: AsyncDisposableStack,
): Promise<void> {
  await free
  if (closing.disposed) return
  const opened = await open()
  if (closing.disposed) await opened[Symbol.asyncDispose]()
  else closing.use(opened)
}

/** While another relay writes to the journal it is not read: the first who needs it opens it, and nobody does before the spool answers. */
function journalOf(stateFolder: string, log: Log, free: Promise<void> | undefined): DeliveredJournal {
  return free ? lateJournal(() => openDeliveredJournal(stateFolder, log)) : openDeliveredJournal(stateFolder, log)
}

type Pem = { readonly key: string; readonly cert: string }

type MailNeeds = {
  readonly spool: Spool
  readonly journal: DeliveredJournal
  readonly greylist: Greylist
  readonly tls: Pem
  readonly reach: Reach
  readonly mailAccounts: MailAccounts
  readonly dns: MailDns
  readonly preludes: PreludeAccounts
  readonly checker: Checker
  readonly reports: TlsReports
}

function mailParts(
  now: Now,
  { clock, log }: Given,
  { spool, journal, greylist, tls, reach, mailAccounts, preludes, dns, checker, reports }: MailNeeds,
): Pick<Parts, "delivery" | "mail"> & { readonly cutThrough: CutThrough } {
  const {
    relay: { name },
    limits,
  } = now.standing.config
  const options: DeliveryOptions = {
    spool,
    journal,
    name,
    routeOf: (friend, domain) => now.standing.mailRoute(friend, domain),
    clock,
    log,
    limits,
    ownAddresses: now.standing.mailAddresses,
    published: dns.published,
    judged: (outcome) => reports.count(outcome),
    resolver: dns.mx,
    nameBehind: dns.nameBehind,
    answered: (friend, answer) => mailAccounts.add(friend, answer),
    mayTell: () => now.standing.config.relay.tellSenders === "everybody",
    reachBox: reach.mail,
    dial: (hop, signal) =>
      hop.kind === "box" ? reach.box(hop.friend, hop.service, FROM_THE_RELAY) : dialTcp(hop, signal),
  }
  const delivery = mailDelivery(options)
  const cutThrough = new CutThrough({
    way: wayOf(options),
    log,
    cameBack: (friend) => wake(delivery, friend, log),
    answered: (friend, answer) => mailAccounts.add(friend, answer),
  })
  const mail = mailServer({
    name,
    tls,
    spool,
    routeFor: (listener, domain) => now.standing.recipientRoute(listener, domain),
    holdsTls: (listener) => now.standing.holdsTls(listener),
    limits,
    clock,
    log,
    kept: () => delivery.nudge(),
    refused: (why) => mailAccounts.refused(why),
    waking: wakingPart(now, { clock, log }, { spool, delivery }),
    rates: new Rates(() => now.standing.config.limits, clock),
    taken: (friend, { listener, unnamed }, how) => {
      mailAccounts.taken(friend, how)
      if (unnamed) preludes.took(listener, friend, unnamed)
    },
    cutThrough,
    strangers: new Strangers({ clock, greylist, isListed: dns.isListed }),
    checker,
    greetWaitMs: (listener) => now.standing.listener(listener)?.greetWaitMs ?? 0,
  })
  return { delivery, mail, cutThrough }
}

function wake(delivery: MailDelivery, friend: FriendName, log: Log): void {
  delivery.wake(friend).then(
    (messages) => log.info("mail on its way home", { friend, messages }),
    (error: unknown) => log.error("mail not woken", { friend, why: String(error) }),
  )
}

function webPart(now: Now, { clock, log }: Given, reach: Reach): WebProxy {
  return webProxy({
    name: now.standing.config.relay.name,
    routeFor: (listener, host, local) => now.standing.webRoute(listener, host, local),
    dial: (route, deadlineMs) => reach.route(route, deadlineMs, FROM_THE_RELAY),
    log,
    clock,
  })
}

type BoxNeeds = {
  readonly desk: QueueDesk
  readonly tls: Pem
  readonly attached: Attached
  readonly delivery: MailDelivery
  readonly cutThrough: CutThrough
  readonly offers: HomeOffers
  readonly outgoing: Outgoing
  readonly traffic: Traffic
  readonly preludes: PreludeAccounts
}

function boxesPart(now: Now, { clock, log }: Given, needs: BoxNeeds): Boxes {
  const { desk, tls, attached, delivery, cutThrough, offers, outgoing, traffic, preludes } = needs
  return boxes({
    stateFolder: now.standing.config.relay.state,
    tls,
    attached,
    shown: (friend) => now.standing.shownTo(friend),
    senders: (friend) => preludes.of(friend),
    desk,
    idleDeadlineMs: () => now.standing.config.limits.idleDeadlineMs,
    meterOf: (friend) => traffic.meterOf(friend),
    came: (friend, box) => {
      outgoing.serve(friend, box)
      offers.cameBack(friend)
      cutThrough.forgive(friend)
      wake(delivery, friend, log)
    },
    clock,
    log,
  })
}
