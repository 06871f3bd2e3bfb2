/**
 * Tells a friend's box how senders have come to the ports that he shares: at once, and again when that has changed. They
 * are his own counts, so that he can see how much of his mail needs `otherwise` (docs/tunnel-protocol.md §12).
 */
import type { Clock } from "../clock/clock.ts"
import type { RelayEnd } from "../tunnel/relay-end.ts"

/** Ours: counts are for people to look at. */
export const TELL_SENDERS_EVERY_MS = 30_000

/** `counts`: as JSON. Ends with the tunnel, and when the box does not want to know. */
export function tellSenders(box: Pick<RelayEnd, "tellSenders" | "gone">, counts: () => string, clock: Clock): void {
  let told: string | undefined
  let forget = (): void => {}
  let isGone = false
  const tell = async (): Promise<void> => {
    const now = counts()
    const takes = now === told || (await box.tellSenders(now).catch(() => false))
    told = now
    if (takes && !isGone) forget = clock.after(TELL_SENDERS_EVERY_MS, () => void tell())
  }
  void box.gone.then(() => {
    isGone = true
    forget()
  })
  void tell()
}
