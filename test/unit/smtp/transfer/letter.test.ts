import { expect, test } from "@jest/globals"
import { anything, assert as holds, property, string } from "fast-check"
import { letterText, readLetter, type Letter } from "../../../../src/smtp/transfer/letter.ts"
import type { MessageId } from "../../../../src/store/spool.ts"
import { BOB } from "../../../support/delivery.ts"
import { envelope } from "../../../support/spool.ts"

const attempt = { at: "waiting", until: 0, tries: 0, lastReply: undefined } as const
const recipients = [{ address: "dave@dave.example", notify: undefined, orcpt: undefined, attempt }]
const message = { ...envelope(), friend: "", id: "abcdefghijklmnop" as MessageId, sizeBytes: 12, recipients }
const PLAIN: Letter = { by: BOB, message, visitorName: undefined, pinned: undefined }
const RICH: Letter = {
  by: BOB,
  message: {
    ...message,
    from: "",
    body: "7bit",
    smtputf8: true,
    requireTls: true,
    ret: "HDRS",
    envid: "a +b=",
    client: { ...message.client, tls: "TLSv1.3 TLS_AES_256_GCM_SHA384" },
    recipients: [
      { address: "zoë@dave.example", notify: ["SUCCESS", "DELAY"], orcpt: "rfc822;z@dave.example", attempt },
    ],
  },
  visitorName: { kind: "name", name: "mx.sender.example" },
  pinned: { spkiSha256: ["0f".repeat(32), "1e".repeat(32)] },
}

test.each([
  ["a plain one", PLAIN],
  ["one with everything", RICH],
])("%s survives the way", (_, letter) => {
  expect(readLetter(letterText(letter))).toEqual(letter)
})

const changed = (change: object): string => JSON.stringify({ ...JSON.parse(letterText(PLAIN)), ...change })

test.each([
  ["an id that is none of ours", { id: "../../etc/passwd" }],
  ["an id in capitals", { id: "ABCDEFGHIJKLMNOP" }],
  ["a second command in the sender", { from: "a@b>\r\nRCPT TO:<root" }],
  ["a second command in a recipient", { recipients: [{ address: "a@b\r\nDATA" }] }],
  ["a second command in what the client called itself", { client: { address: "192.0.2.1", helo: "x\r\nMAIL" } }],
  ["nobody to write to", { recipients: [] }],
  ["more recipients than there are", { recipients: Array.from({ length: 1_001 }, () => ({ address: "a@b" })) }],
  ["an address that is too long", { from: `${"a".repeat(1_000)}@b` }],
  ["a client without an address", { client: { address: "router.lan", helo: "x" } }],
  ["a relay without a name", { by: "not a name" }],
  ["a size that is none", { sizeBytes: -1 }],
  ["a key that is none", { pinned: ["abc"] }],
])("%s is refused", (_, change) => {
  expect(readLetter(changed(change))).toBeUndefined()
})

test("nothing makes the reader throw", () => {
  holds(property(string(), (text) => void readLetter(text)))
  holds(property(anything(), (value) => void readLetter(JSON.stringify(value) ?? "")))
})
