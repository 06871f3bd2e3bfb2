/** What one visitor of peer web may cost. The relay's configuration changes the first two; the rest are ours. */

export type WebLimits = {
  readonly connectDeadlineMs: number
  readonly idleDeadlineMs: number
  readonly headerDeadlineMs: number
  readonly silenceDeadlineMs: number
  readonly requestDeadlineMs: number
  readonly keepAliveMs: number
  readonly stopGraceMs: number
}

export const DEFAULT_WEB_LIMITS: WebLimits = {
  /** As DEFAULT_LIMITS of the configuration. */
  connectDeadlineMs: 10_000,
  /** As DEFAULT_LIMITS: how long an answer that has begun, or a WebSocket, may pause. */
  idleDeadlineMs: 124 * 60_000,
  /** Ours: a header section in full, from the connection's first moment or the previous answer's end. */
  headerDeadlineMs: 20_000,
  /** Ours: how long a visitor may pause inside a request, and a backend before its answer. As Apache and nginx, doubled. */
  silenceDeadlineMs: 120_000,
  /** Ours: one request with its content; a large upload over a thin line takes long. */
  requestDeadlineMs: 124 * 60_000,
  /** Ours: a connection without a request. Browsers ask again within a minute or not at all. */
  keepAliveMs: 60_000,
  /** Ours: what a request under way may still take once we are told to stop. */
  stopGraceMs: 10_000,
}

/** Ours: request line and header section together, as nginx (4 × 8 kB) and more than browsers send. */
export const HEADER_BYTES_MAX = 32_768
/** Ours: requests that one connection may send ahead of their answers. Browsers send none. */
export const PIPELINED_MAX = 64
/** Ours: below the 5 s after which Apache and Node close an idle connection, so that ours is gone before theirs. */
export const BACKEND_KEEP_ALIVE_MS = 4_000
/** Ours: how often Node looks for connections past a deadline. */
export const DEADLINE_CHECK_MS = 1_000
