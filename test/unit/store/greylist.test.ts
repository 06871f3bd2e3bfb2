import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "@jest/globals"
import { ipAddress, type IpAddress } from "../../../src/names/ip-address.ts"
import {
  GREYLIST_DELAY_MS,
  GREYLIST_KNOWN_MS,
  GREYLIST_RETRY_MS,
  openGreylist,
  type Triple,
} from "../../../src/store/greylist.ts"
import { keptLog } from "../../support/kept-log.ts"
import { scratchFolder } from "../../support/program.ts"

const START = 1_700_000_000_000
const CAROL = triple("192.0.2.7")

describe("a stranger", () => {
  test("passes at the second try, if that is not too soon, and is known from then on", async () => {
    await using folder = await scratchFolder()
    const list = openGreylist(folder.path, keptLog())
    expect(list.passes(CAROL, START)).toBe(false)
    expect(list.passes(CAROL, START + GREYLIST_DELAY_MS - 1)).toBe(false)
    expect(list.passes(CAROL, START + GREYLIST_DELAY_MS)).toBe(true)
    expect(list.passes(CAROL, START + GREYLIST_DELAY_MS + 1)).toBe(true)
    expect(list.passes(CAROL, START + GREYLIST_KNOWN_MS)).toBe(true)
    expect(list.passes(CAROL, START + 2 * GREYLIST_KNOWN_MS)).toBe(false) // a month of silence
    list.close()
  })

  test("who comes again after a day begins anew", async () => {
    await using folder = await scratchFolder()
    const list = openGreylist(folder.path, keptLog())
    expect(list.passes(CAROL, START)).toBe(false)
    expect(list.passes(CAROL, START + GREYLIST_RETRY_MS)).toBe(false)
    expect(list.passes(CAROL, START + GREYLIST_RETRY_MS + GREYLIST_DELAY_MS)).toBe(true)
    list.close()
  })

  test.each([
    ["192.0.2.200", "carol@sender.example", "dave@dave.example", true],
    ["192.0.2.7", "Carol@Sender.example", "DAVE@dave.example", true],
    ["192.0.3.7", "carol@sender.example", "dave@dave.example", false],
    ["192.0.2.7", "", "dave@dave.example", false],
    ["192.0.2.7", "carol@sender.example", "erin@dave.example", false],
  ])("who tried is one with %s %s %s: %j", async (client, from, to, same) => {
    await using folder = await scratchFolder()
    const list = openGreylist(folder.path, keptLog())
    list.passes(CAROL, START)
    expect(list.passes({ client: checked(client), from, to }, START + GREYLIST_DELAY_MS)).toBe(same)
    list.close()
  })

  test("with an IPv6 address is known by its /64", async () => {
    await using folder = await scratchFolder()
    const list = openGreylist(folder.path, keptLog())
    list.passes(triple("2001:db8:1:2::3"), START)
    expect(list.passes(triple("2001:db8:1:2:ffff::"), START + GREYLIST_DELAY_MS)).toBe(true)
    expect(list.passes(triple("2001:db8:1:3::3"), START + GREYLIST_DELAY_MS)).toBe(false)
    list.close()
  })
})

test("the list outlives the relay, and names nobody", async () => {
  await using folder = await scratchFolder()
  const first = openGreylist(folder.path, keptLog())
  first.passes(CAROL, START)
  first.close()
  const second = openGreylist(folder.path, keptLog())
  expect(second.passes(CAROL, START + GREYLIST_DELAY_MS)).toBe(true)
  second.close()
  const { readFile } = await import("node:fs/promises")
  expect((await readFile(join(folder.path, "greylist.db"))).toString("latin1")).not.toMatch(/carol|dave/)
})

test("a file that is no list does not stop the relay: the old one is put aside", async () => {
  await using folder = await scratchFolder()
  await writeFile(join(folder.path, "greylist.db"), "no database at all, and more than a header of one".repeat(100))
  const log = keptLog()
  const list = openGreylist(folder.path, log)
  expect(log.all("greylist-broken")).toHaveLength(1)
  expect(list.passes(CAROL, START)).toBe(false)
  list.close()
})

function triple(client: string): Triple {
  return { client: checked(client), from: "carol@sender.example", to: "dave@dave.example" }
}

function checked(text: string): IpAddress {
  const address = ipAddress(text)
  if (!address) throw new Error(`not an address: ${text}`)
  return address
}
