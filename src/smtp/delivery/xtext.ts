/** xtext, the spelling in which ENVID and ORCPT travel (RFC 3461 §4). */

/** Everything but printable ASCII without "+" and "=" is written as a "+" and two upper-case hex digits. */
export function encodeXtext(text: string): string {
  return text.replace(/[^\u0021-\u002a\u002c-\u003c\u003e-\u007e]/gu, (character) =>
    Array.from(Buffer.from(character), (byte) => `+${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  )
}
