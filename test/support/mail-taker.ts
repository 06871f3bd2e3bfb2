/**
 * A box in a program of its own, whose relay asks again until each mail is taken. Prints `later ID` and `taken ID`.
 * `node mail-taker.ts FOLDER PORT MAILS`: its state, its mail server on the loopback, and how many mails it is handed.
 */
import { setTimeout as delay } from "node:timers/promises"
import type { MailHome } from "../../src/box/mail-home.ts"
import { silentLog } from "../../src/log/log.ts"
import type { MessageId } from "../../src/store/spool.ts"
import { hand, letter, mailHome, pieces } from "./handed-mail.ts"

/** At once, so that several wait for one fsync. */
const HANDS = 3

/** What the mail with this number, from 0 on, is known by. Of the form that transfer ids have: 16 of a-z2-7. */
export function idOf(number: number): MessageId {
  const letters = String(number)
    .padStart(16, "0")
    .replace(/\d/g, (digit) => "abcdefghij"[Number(digit)] ?? "")
  return letters as MessageId
}

async function handUntilTaken(home: MailHome, id: MessageId): Promise<void> {
  const content = `Subject: ${id}\r\n\r\nMeet me\r\n`
  const given = letter(undefined, { id, sizeBytes: content.length })
  for (;;) {
    const [said = ""] = await hand(home, given, pieces(content))
    if (said.startsWith("accepted")) break
    console.log(`later ${id}`)
    await delay(10)
  }
  console.log(`taken ${id}`)
}

if (import.meta.main) {
  const [folder = "", port = "0", mails = "0"] = process.argv.slice(2)
  const home = await mailHome(folder, Number(port), silentLog)
  let next = 0
  const relay = async (): Promise<void> => {
    while (next < Number(mails)) await handUntilTaken(home, idOf(next++))
  }
  await Promise.all(Array.from({ length: HANDS }, relay))
  home.close()
}
