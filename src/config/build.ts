/** Turns the content of a checked file into the Config that the relay runs on. Cannot fail: everything was checked before. */
import { resolve } from "node:path"
import type { Friend, Carry, OutgoingMail, Recipients, Route, Backend } from "../route/route.ts"
import { DEFAULT_LIMITS, DEFAULT_OUTGOING_MAIL, type Config, type Limits, type Listener } from "./config.ts"
import { matchesFor } from "./matches.ts"
import type { FileContent, FileFriend, FileListener, FileRoute } from "./schema.ts"

/** `folder`: where relative paths start from, which is where the file is. */
export function buildConfig(content: FileContent, folder: string): Config {
  return {
    relay: {
      name: content.relay.name,
      state: resolve(folder, content.relay.state),
      admin: content.relay.admin,
      resolver: content.relay.resolver,
      tellSenders: content.relay["tell-senders"],
      tlsReports: content.relay["tls-reports"],
    },
    listeners: Object.entries(content.listeners).map(([name, listener]) => builtListener(name, listener)),
    friends: Object.entries(content.friends).map(([name, friend]) =>
      builtFriend(name, friend, { listeners: content.listeners, folder }),
    ),
    limits: builtLimits(content.limits),
  }
}

function builtListener(name: string, listener: FileListener): Listener {
  return {
    name,
    bind: listener.bind,
    protocol: listener.protocol,
    acceptProxy: listener["accept-proxy"],
    greetWaitMs: listener["greet-wait"] ?? 0,
    odmr: listener.odmr ?? false,
    friend: listener.friend,
    default: listener.default,
  }
}

type Around = { readonly listeners: FileContent["listeners"]; readonly folder: string }

function builtFriend(name: string, friend: FileFriend, { listeners, folder }: Around): Friend {
  const { promise, domains, addresses, rate, routes, "outgoing-mail": outgoingMail } = friend
  const secretFile = friend["odmr-secret-file"]
  return {
    name,
    promise,
    domains,
    takesOver: friend["takes-over"],
    addresses,
    bytesPerSecondMax: rate,
    notesTo: friend["notes-to"],
    wakeFrom: friend["wake-from"],
    odmrSecretFile: secretFile === undefined ? undefined : resolve(folder, secretFile),
    outgoingMail: builtOutgoingMail(outgoingMail),
    routes: Object.entries(routes).flatMap(([listenerName, route]) => {
      const listener = listeners[listenerName]
      return listener
        ? [builtRoute({ name, ...friend }, { name: listenerName, ...listener }, { ...route, folder })]
        : []
    }),
  }
}

function builtOutgoingMail(asked: FileFriend["outgoing-mail"]): OutgoingMail | undefined {
  if (asked === false) return undefined
  const { "connections-max": atOnce, "connections-per-hour-max": perHour } = asked === true ? {} : asked
  return {
    connectionsMax: atOnce ?? DEFAULT_OUTGOING_MAIL.connectionsMax,
    connectionsPerHourMax: perHour ?? DEFAULT_OUTGOING_MAIL.connectionsPerHourMax,
  }
}

/** With the folder that its relative paths start from. */
type Placed = FileRoute & { readonly folder: string }
type Named<Value> = Value & { readonly name: string }

function builtRoute(friend: Named<FileFriend>, listener: Named<FileListener>, route: Placed): Route {
  return {
    friend: friend.name,
    listener: listener.name,
    protocol: listener.protocol,
    matches: matchesFor(friend, listener, route),
    carry: builtCarry(listener, route),
    to: builtBackend(listener, route),
  }
}

function builtCarry(listener: FileListener, route: Placed): Carry {
  if (route.mode === "dedicated") {
    const { proxy = "none", otherwise = "refuse" } = route
    // Whose server hears of visitors by XCLIENT hears of them in the same way where the relay is the end.
    const xclient = otherwise === "peer" && (route.xclient ?? proxy === "xclient")
    return {
      mode: "dedicated",
      proxy,
      otherwise,
      ...(xclient && { xclient }),
      ...(route.engine === "kernel" && { engine: "kernel" }),
    }
  }
  if (listener.protocol !== "smtp") return { mode: "peer", as: "web", cache: route.cache ?? false }
  return {
    mode: "peer",
    as: "mail",
    recipients: builtRecipients(route),
    tls: route.tls ?? "opportunistic",
    cutThrough: route["cut-through"] ?? true,
    ...(route.xclient && { xclient: true }),
    ...(route.authenticate && { authenticate: true }),
    ...(route.seal && { seal: route.seal }),
    greylist: route.greylist ?? false,
    blockLists: route["block-lists"] ?? [],
  }
}

function builtRecipients({ recipients, "recipients-file": file, folder }: Placed): Recipients {
  if (file !== undefined) return { kind: "hashed", file: resolve(folder, file) }
  if (recipients === "ask") return { kind: "asked" }
  return recipients ? { kind: "listed", localParts: new Set(recipients) } : { kind: "any" }
}

function builtBackend(listener: Named<FileListener>, route: FileRoute): Backend {
  const [first, ...more] = route.to
  if (first === "box") return { kind: "box", service: route.service ?? listener.name }
  return { kind: "tcp", to: [first, ...more.filter((place) => place !== "box")] }
}

function builtLimits(limits: FileContent["limits"]): Limits {
  const changed = {
    connectionsMax: limits["connections-max"],
    connectionsPerSourceMax: limits["connections-per-source-max"],
    connectionsPerFriendMax: limits["connections-per-friend-max"],
    helloDeadlineMs: limits["hello-deadline"],
    preludeDeadlineMs: limits["prelude-deadline"],
    connectDeadlineMs: limits["connect-deadline"],
    idleDeadlineMs: limits["idle-deadline"],
    drainDeadlineMs: limits["drain-deadline"],
    handOverDeadlineMs: limits["hand-over-deadline"],
    messageBytesMax: limits["message-max"],
    spoolPerFriendBytesMax: limits["spool-per-friend-max"],
    messagesPerFriendMax: limits["messages-per-friend-max"],
    deliveriesPerFriendMax: limits["deliveries-per-friend-max"],
    mailLifetimeMs: limits["mail-lifetime"],
    connectionsPerSourcePerMinuteMax: limits["connections-per-source-per-minute-max"],
    mailsPerSourcePerMinuteMax: limits["mails-per-source-per-minute-max"],
    mailsPerFriendPerMinuteMax: limits["mails-per-friend-per-minute-max"],
  } satisfies { readonly [Key in keyof Limits]: number | undefined }
  const given = Object.entries(changed).filter(([, amount]) => amount !== undefined)
  return { ...DEFAULT_LIMITS, ...Object.fromEntries(given) }
}
