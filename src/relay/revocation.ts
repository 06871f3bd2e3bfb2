/** Ends a tunnel whose key is its friend's no more: `waypost invite --replace` changes the folder beside a running relay. */
import type { Clock } from "../clock/clock.ts"
import type { RelayEnd } from "../tunnel/relay-end.ts"

/** Ours: a lost box is carried for this long at most after its key was revoked. */
export const LOOK_EVERY_MS = 5_000

/** Looks until the tunnel is gone. A folder that cannot be read is no revocation. */
export function endWhenRevoked(
  box: Pick<RelayEnd, "gone" | "close">,
  isRevoked: () => Promise<boolean>,
  clock: Clock,
): void {
  let cancel = () => {}
  let over = false
  const look = async () => {
    const revoked = await isRevoked().catch(() => false)
    if (over) return
    if (revoked) box.close()
    else cancel = clock.after(LOOK_EVERY_MS, () => void look())
  }
  void box.gone.then(() => {
    over = true
    cancel()
  })
  cancel = clock.after(LOOK_EVERY_MS, () => void look())
}
