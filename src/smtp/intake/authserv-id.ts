/** Who says the results of a field Authentication-Results (RFC 8601 §2.2): the first word of its value. Pure. */
import type { Parsed } from "../../bytes/parsed.ts"

/** RFC 2045 §5.1: no controls, no spaces, and none of these. */
const TOKEN = /^[^\p{Cc}\s()<>@,;:\\"/[\]?=]+/u
/** RFC 5322 §3.2.2: white space, and what folding leaves in front of it. */
const SPACES = /^[ \t\r\n]+/
/** RFC 5322 §3.2.4. */
const QUOTED = /^"(?<inside>(?:[^"\\]|\\[^])*)"/
/** Ours: nobody honest nests comments deeper. */
const COMMENT_DEPTH_MAX = 20

/** `value`: what follows the colon, as far as it has come, folded as it is. A name that may go on is not known yet. */
export function readAuthservId(value: string): Parsed<string, "no name"> {
  let rest = value
  for (;;) {
    rest = rest.replace(SPACES, "")
    if (!rest.startsWith("(")) break
    const end = commentEnd(rest)
    if (end === undefined) return { kind: "need-more" }
    rest = rest.slice(end)
  }
  if (rest === "") return { kind: "need-more" }
  const quoted = QUOTED.exec(rest)
  const inside = quoted?.groups?.["inside"]
  if (rest.startsWith('"') && inside === undefined) return { kind: "need-more" }
  const word = quoted ?? TOKEN.exec(rest)
  if (!word) return { kind: "refused", why: "no name" }
  const consumedBytes = value.length - rest.length + word[0].length
  if (consumedBytes === value.length) return { kind: "need-more" }
  const id = inside === undefined ? word[0] : inside.replace(/\\([^])/g, "$1").replace(/[\r\n]/g, "")
  return { kind: "value", value: id, consumedBytes }
}

/** RFC 5322 §3.2.2: comments nest, and a backslash takes the next character out. */
function commentEnd(text: string): number | undefined {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === "\\") at += 1
    else if (character === "(" && ++depth > COMMENT_DEPTH_MAX) return undefined
    else if (character === ")" && --depth === 0) return at + 1
  }
  return undefined
}
