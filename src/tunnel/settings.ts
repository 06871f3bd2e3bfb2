/** HTTP/2 settings that both ends share, and why they are what they are. */

/** Ours: what one stream may have in flight unread. 20 MB/s over a path of 50 ms, and what a blocked reader may cost us. */
export const STREAM_WINDOW_BYTES = 1_048_576
/** Ours: for all streams together; Node returns it as bytes arrive, so that a blocked reader never delays another stream. */
export const SESSION_WINDOW_BYTES = 16_777_216
/** Ours: streams at once on one tunnel; above what one relay carries in all. */
export const STREAMS_MAX = 20_000
/** Ours, in Node's unit (MB): what a session may hold before it is closed. Bounded by windows, so this is only a net. */
const SESSION_MEMORY_MAX_MB = 1_000
/** RFC 9113 §6.5.2 SETTINGS_MAX_HEADER_LIST_SIZE: our requests have ten short headers. */
const HEADER_LIST_BYTES_MAX = 8_192

export const SESSION_OPTIONS = {
  maxSessionMemory: SESSION_MEMORY_MAX_MB,
  peerMaxConcurrentStreams: STREAMS_MAX,
  settings: {
    initialWindowSize: STREAM_WINDOW_BYTES,
    maxConcurrentStreams: STREAMS_MAX,
    maxHeaderListSize: HEADER_LIST_BYTES_MAX,
    enablePush: false,
  },
} as const

/** Ours: from accept to an attached box, the TLS handshake included. */
export const ATTACH_DEADLINE_MS = 10_000
/** Ours: a silent network is noticed in 15 s at most: a ping every 5 s that must come back within 9 s, and a second to spare. */
export const PING_EVERY_MS = 5_000
export const PING_DEADLINE_MS = 9_000

/** Ours: carriers ready while nobody comes. */
export const CARRIERS_READY_MIN = 4
/** Ours: carriers ready at most. */
export const CARRIERS_READY_MAX = 32
/** Ours: carriers ready or on their way, for those who come all at once; the box dials no more. */
export const CARRIERS_MAX = 64
/** Ours: below what home routers keep an idle connection for; older carriers are replaced, not trusted. */
export const CARRIER_AGE_MS_MAX = 60_000
