/** The compiled half of the native engine: where it lies, what it offers (native/addon.c), and why it may be missing. */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

/** An engine that was opened; only the addon looks inside. */
export type Handle = { readonly __brand: "engine" }

/** The functions of native/addon.c. Addresses are 18 bytes as in native/address.h. */
export interface Addon {
  /** Starts the threads. `events` is called when that many bytes of event records lie in `exchange`. */
  open(threads: number, exchange: Uint8Array, events: (bytes: number) => void): Handle
  /**
   * The port, or a negative errno. `descriptors` has a place for every thread: those that are not -1 are taken over instead
   * of binding, and afterwards it says where each thread listens.
   */
  listen(
    engine: Handle,
    listener: number,
    where: Uint8Array,
    decideDeadlineMs: number,
    asksAtAccept: 0 | 1,
    descriptors: Int32Array,
  ): number
  /** Carries out `bytes` of command records. */
  post(engine: Handle, commands: Uint8Array, bytes: number): void
  /** Sends text to the datagram socket of a service manager, `@` for the abstract name space: 0, or an errno. */
  notify(path: Uint8Array, text: Uint8Array): number
  /** Another descriptor for the same socket, or a negative errno. */
  duplicate(descriptor: number): number
  /** Whether the engine keeps the process alive. */
  hold(engine: Handle, on: 0 | 1): void
  /** The index of a new meter; -1 where there is no room for more. */
  meter(engine: Handle): number
  /** Running connections, bytes to their backends, bytes to their visitors. */
  read(engine: Handle, meter: number, into: Float64Array): void
  /** 0: as fast as it goes. */
  limit(engine: Handle, meter: number, bytesPerSecond: number): void
  /** As `Tokens` (bucket.ts), from the bucket that the threads use. */
  take(engine: Handle, meter: number, wantBytes: number): number
  giveBack(engine: Handle, meter: number, bytes: number): void
  /** Gives everything back, once every thread has said that it is gone. */
  join(engine: Handle): void
}

export type LoadedAddon =
  { readonly kind: "loaded"; readonly addon: Addon } | { readonly kind: "missing"; readonly why: string }

/** Where `npm run native` puts it. */
export const ADDON_FILE: string = fileURLToPath(new URL("../../../native/build/waypost-engine.node", import.meta.url))

/** The environment variable by which tests name another build of it: an instrumented one (tools/sanitize.ts). */
export const ADDON_FILE_VARIABLE = "WAYPOST_NATIVE_ADDON"

/** Loads the addon; a missing or broken one is an answer, not an error. */
export function loadAddon(file: string = process.env[ADDON_FILE_VARIABLE] ?? ADDON_FILE): LoadedAddon {
  if (process.platform !== "linux") return { kind: "missing", why: `it is for Linux; this is ${process.platform}` }
  if (!existsSync(file))
    return { kind: "missing", why: "it is not built; `npm run native` builds it with a C compiler" }
  try {
    return { kind: "loaded", addon: createRequire(import.meta.url)(file) as Addon } // addon.c exports just these
  } catch (error) {
    return { kind: "missing", why: `it does not load: ${error instanceof Error ? error.message : String(error)}` }
  }
}
