import { expect, test } from "@jest/globals"
import { judge } from "../../../src/policy/judge.ts"
import { verdictTable } from "../../../src/policy/verdict-table.ts"
import { dedicated, facts, PEER_MAIL, RECIPIENT, route, SNI, STARTTLS_SNI } from "../../support/truth-table.ts"

const verdicts = [
  judge(route("tls", SNI, dedicated()), facts({})),
  judge({ ...route("smtp", RECIPIENT, PEER_MAIL), friend: "dave" }, facts({})),
  judge({ ...route("smtp", STARTTLS_SNI, dedicated("peer")), friend: "erin" }, facts({})),
]

test("a table has a row for each route and a word for each power", () => {
  expect(verdictTable(verdicts, 100)).toEqual([
    "route        mode       read  change  pose    keep  see  cut  warnings",
    "alice/https  dedicated  no    no      attack  no    YES  YES  WP104",
    "dave/smtp    peer mail  YES   YES     YES     ~YES  YES  YES  WP101 WP103",
    "erin/smtp    dedicated  ~YES  ~YES    ~YES    ~YES  YES  YES  WP101 WP103",
  ])
})

test("where the table does not fit, each route is a block", () => {
  const lines = verdictTable(verdicts, 50)
  expect(lines.slice(0, 3)).toEqual([
    "alice/https (dedicated)",
    "  read: no, change: no, pose: attack, keep: no",
    "  see: YES, cut: YES, warnings: WP104",
  ])
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(50)
})

test("without routes there is only the heading", () => {
  expect(verdictTable([], 80)).toHaveLength(1)
})
