import { expect, test } from "@jest/globals"
import type { Hostname } from "../../../../src/names/hostname.ts"
import { HashedRecipients, writeHashedRecipients } from "../../../../src/route/hashed-recipients.ts"
import type { Route } from "../../../../src/route/route.ts"
import { readMailbox } from "../../../../src/smtp/intake/mailbox.ts"
import { admitRecipient } from "../../../../src/smtp/intake/recipients.ts"
import { mailRoute } from "../../../support/smtp-dialogue.ts"

const LISTED = mailRoute("alice", { kind: "listed", localParts: new Set(["alice", "odd+one", "x%y", "a@b"]) })
const dedicated = (otherwise: "refuse" | "peer"): Route => ({
  ...LISTED,
  friend: "erin",
  carry: { mode: "dedicated", proxy: "none", otherwise },
})
const DAVES_LIST = HashedRecipients.read(writeHashedRecipients(["dave@hashed.example", "odd+one@hashed.example"]))
const ROUTES: Readonly<Record<string, Route>> = {
  "any.example": mailRoute("dave", { kind: "any" }),
  "listed.example": LISTED,
  "refuse.example": dedicated("refuse"),
  "peer.example": dedicated("peer"),
  "hashed.example": mailRoute("dave", { kind: "hashed", file: "/dave.recipients" }),
  "nolist.example": mailRoute("dave", { kind: "hashed", file: "/nowhere" }),
  "asked.example": mailRoute("dave", { kind: "asked" }),
  "web.example": { ...LISTED, carry: { mode: "peer", as: "web", cache: false } },
}

function admitted(address: string): string {
  const mailbox = readMailbox(address)
  if (mailbox.kind !== "value") throw new Error(`${address} is ${mailbox.kind}`)
  const outcome = admitRecipient(mailbox.value, {
    routeFor: (domain: Hostname) => ROUTES[domain],
    listIn: (file) => (file === "/dave.recipients" ? DAVES_LIST : undefined),
  })
  return outcome.kind === "admitted" ? `for ${outcome.route.friend}` : outcome.why.code
}

test.each([
  ["anybody@any.example", "for dave"],
  ["anybody@asked.example", "for dave"],
  ["dave@hashed.example", "for dave"],
  ["DAVE@Hashed.Example", "for dave"],
  ["dave+list@hashed.example", "for dave"],
  ["odd+one@hashed.example", "for dave"],
  ["postmaster@hashed.example", "for dave"],
  ["abuse@nolist.example", "for dave"],
  ["anybody@ANY.Example", "for dave"],
  ['"quoted name"@any.example', "for dave"],
  ["alice@listed.example", "for alice"],
  ["Alice@listed.example", "for alice"],
  ['"alice"@listed.example', "for alice"],
  ["alice+list@listed.example", "for alice"],
  ["odd+one@listed.example", "for alice"],
  ["x%y@listed.example", "for alice"],
  ['"a@b"@listed.example', "for alice"],
  ["PostMaster@listed.example", "for alice"],
  ["abuse@listed.example", "for alice"],
  ["anybody@peer.example", "for erin"],
])("%s is taken %s", (address, outcome) => {
  expect(admitted(address)).toBe(outcome)
})

test.each([
  ["mallory@listed.example", "NO_SUCH_RECIPIENT"],
  ["a%b@asked.example", "ROUTED_ADDRESS"],
  ["odd@hashed.example", "NO_SUCH_RECIPIENT"],
  ["erin@hashed.example", "NO_SUCH_RECIPIENT"],
  ["dave@nolist.example", "RECIPIENTS_UNREADABLE"],
  ["odd@listed.example", "NO_SUCH_RECIPIENT"],
  ["+alice@listed.example", "NO_SUCH_RECIPIENT"],
  ["anybody@evil.example", "NOT_OURS"],
  ["anybody@sub.any.example", "NOT_OURS"],
  ["anybody@any.example.evil.example", "NOT_OURS"],
  ["anybody@[127.0.0.1]", "NOT_OURS"],
  ["anybody@refuse.example", "UNNAMED_SENDER"],
  ["anybody@web.example", "NOT_OURS"],
  ["v%evil.example@any.example", "ROUTED_ADDRESS"],
  ["evil.example!v@any.example", "ROUTED_ADDRESS"],
  ['"v@evil.example"@any.example', "ROUTED_ADDRESS"],
  ["alice+v%evil.example@listed.example", "ROUTED_ADDRESS"],
])("%s is refused with %s", (address, code) => {
  expect(admitted(address)).toBe(code)
})

test("postmaster without a domain is told to name one", () => {
  const outcome = admitRecipient("postmaster", { routeFor: () => undefined, listIn: () => undefined })
  expect(outcome).toMatchObject({ kind: "refused", why: { code: "POSTMASTER_OF_WHOM" } })
})
