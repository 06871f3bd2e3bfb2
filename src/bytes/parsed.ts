/**
 * What every parser in Waypost answers. A peer's bytes never make us throw: there is more to wait for,
 * there is a value, or the peer broke its protocol and the connection is answered accordingly.
 */
export type Parsed<Value, Refusal> =
  | { readonly kind: "need-more" }
  | { readonly kind: "value"; readonly value: Value; readonly consumedBytes: number }
  | { readonly kind: "refused"; readonly why: Refusal }

/** As `Parsed`, for bytes that are all there: inside a message whose end is known. */
export type ParsedWhole<Value, Refusal> =
  { readonly kind: "value"; readonly value: Value } | { readonly kind: "refused"; readonly why: Refusal }

export const NEED_MORE = { kind: "need-more" } as const

export function value<Value>(parsed: Value, consumedBytes: number): Parsed<Value, never> {
  return { kind: "value", value: parsed, consumedBytes }
}

export function refused<Refusal>(why: Refusal): { readonly kind: "refused"; readonly why: Refusal } {
  return { kind: "refused", why }
}
