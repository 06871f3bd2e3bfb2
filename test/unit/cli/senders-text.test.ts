import { expect, test } from "@jest/globals"
import { sendersText } from "../../../src/cli/senders-text.ts"
import { PreludeAccounts } from "../../../src/relay/prelude-accounts.ts"

test("one line for each kind of sender; whoever named no friend has none", () => {
  const accounts = new PreludeAccounts()
  accounts.count("smtp", "alice", "named", "carried")
  accounts.count("smtp", undefined, "without-name", "peer")
  accounts.took("smtp", "dave", "without-name")
  expect(sendersText(accounts.all(), 100).split("\n")).toEqual([
    "LISTENER  FRIEND  SENDER                                    COUNT",
    "smtp      alice   named: carried                            1",
    "smtp      -       without-name: peer                        1",
    "smtp      dave    mail of without-name: taken by the relay  1",
  ])
})
