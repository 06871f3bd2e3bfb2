/** Which calls of the spool's database wait for the disk. Apart from it, because the thread that asks has no SQLite. */

/** The calls that change something, and whether what they change must survive a power cut when they are answered. */
export const WRITES = {
  addChunk: "later",
  discard: "later",
  commit: "durable",
  record: "durable",
  wake: "durable",
  hurry: "durable",
  hold: "durable",
  release: "durable",
  redirect: "durable",
  remove: "durable",
} as const

export function isWrite({ method }: { readonly method: string }): boolean {
  return method in WRITES
}
