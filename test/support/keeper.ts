/**
 * A program of its own that keeps mail and prints one line for each that the spool answered for: `kept ID`, or
 * `refused ID CODE`. Killed at any moment, what it printed must be in the spool. `node keeper.ts FOLDER MESSAGES SENDERS`
 */
import { writeSync } from "node:fs"
import { FaultError } from "../../src/faults/faults.ts"
import type { MessageId, Spool } from "../../src/store/spool.ts"
import { envelope, openTestSpool } from "./spool.ts"

/** What the message with this id contains: some are small, every fourth is several chunks long. */
export function contentFor(id: MessageId): Buffer {
  const long = id.charCodeAt(0) % 4 === 0
  return Buffer.alloc(long ? 200_000 : 3_000, `${id}\r\n`)
}

async function keepOne(spool: Spool): Promise<void> {
  const draft = spool.draft()
  try {
    const content = contentFor(draft.id)
    for (let at = 0; at < content.length; at += 16_384) await draft.write(content.subarray(at, at + 16_384))
    await draft.commit(envelope())
    say(`kept ${draft.id}\n`)
  } catch (error) {
    if (!(error instanceof FaultError)) throw error
    say(`refused ${draft.id} ${error.fault.code}\n`)
    await draft.discard()
  }
}

/** Before anything else is done: a kill must not come between. The pipe is full while whoever reads it has no time. */
function say(line: string): void {
  const bytes = Buffer.from(line)
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error
      Atomics.wait(NEVER, 0, 0, 1)
    }
  }
}

const NEVER = new Int32Array(new SharedArrayBuffer(4))

if (import.meta.main) {
  const [folder = "", messages = "0", senders = "1"] = process.argv.slice(2)
  const spool = await openTestSpool(folder)
  let left = Number(messages)
  const sender = async (): Promise<void> => {
    while (left-- > 0) await keepOne(spool)
  }
  await Promise.all(Array.from({ length: Number(senders) }, sender))
  await spool.close()
}
