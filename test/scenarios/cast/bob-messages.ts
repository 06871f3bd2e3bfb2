/** What Bob's process and the test say to each other. It is told where to find its configuration and what time it is. */
import type { SocketAddress } from "../../../src/names/endpoint.ts"
import type { Verdict } from "../../../src/policy/verdict.ts"

/** Beside the configuration: the internet that his relay finds, if it is not the real one. */
export const INTERNET_FILE = "internet.json"

export type ToBob =
  | { readonly tell: "reload" } // read the file again
  | { readonly tell: "turn"; readonly ms: number } // so much time passes
  | { readonly tell: "stop" }

export type FromBob =
  | { readonly said: "running"; readonly bound: readonly BoundAs[]; readonly verdicts: readonly Verdict[] }
  | { readonly said: "refused"; readonly why: string } // it does not start, or keeps what it had
  | { readonly said: "turned" }
  | { readonly said: "warned"; readonly text: string; readonly route: string }

export type BoundAs = { readonly listener: string; readonly asked: SocketAddress; readonly bound: SocketAddress }
