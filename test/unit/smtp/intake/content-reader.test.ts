import fc from "fast-check"
import { describe, expect, test } from "@jest/globals"
import { ContentReader, LINE_BYTES_MAX, type Ending } from "../../../../src/smtp/intake/content-reader.ts"

type Outcome = { content: string; left: string; ended: boolean; refusal: string | undefined }

/** Feeds the pieces one after the other, as they would arrive. */
function outcome(pieces: readonly string[], ending: Ending = "dot"): Outcome {
  const reader = new ContentReader(ending)
  let content = ""
  let left = ""
  let ended = false
  for (const piece of pieces) {
    if (ended) {
      left += piece
      continue
    }
    const bytes = Buffer.from(piece, "latin1")
    const read = reader.read(bytes)
    content += Buffer.from(read.content).toString("latin1")
    left += bytes.subarray(read.consumedBytes).toString("latin1")
    ended = read.ended
  }
  return { content, left, ended, refusal: reader.refusal }
}

function bytewise(text: string): string[] {
  return text.split("")
}

const GOOD: readonly (readonly [name: string, sent: string, content: string])[] = [
  ["nothing", ".\r\n", ""],
  ["one line", "hello\r\n.\r\n", "hello\r\n"],
  ["an empty line", "\r\n.\r\n", "\r\n"],
  ["a line of one dot", "..\r\n.\r\n", ".\r\n"],
  ["a line that begins with dots", "...x\r\n.\r\n", "..x\r\n"],
  ["a stuffed dot without need (RFC 5321 §4.5.2 takes it away)", ".x\r\n.\r\n", "x\r\n"],
  ["dots inside", "a.b\r\n..\r\nc.\r\n.\r\n", "a.b\r\n.\r\nc.\r\n"],
]

test.each(GOOD)("%s comes out as it was meant, whole and byte by byte", (_name, sent, content) => {
  const meant = { content, left: "QUIT\r\n", ended: true, refusal: undefined }
  expect(outcome([`${sent}QUIT\r\n`])).toEqual(meant)
  expect(outcome(bytewise(`${sent}QUIT\r\n`))).toEqual(meant)
})

/** hannob/smtpsmug's list: what some server or other has taken for the end of content. */
const FALSE_ENDINGS: readonly (readonly [name: string, ending: string])[] = [
  ["LF.LF", "\n.\n"],
  ["CR.CR", "\r.\r"],
  ["CR.LF", "\r.\n"],
  ["LF.CR", "\n.\r"],
  ["LF.CRLF", "\n.\r\n"],
  ["CR.CRLF", "\r.\r\n"],
  ["CRLF.LF", "\r\n.\n"],
  ["CRLF.CR", "\r\n.\r"],
  ["CRCRLF.CRCRLF", "\r\r\n.\r\r\n"],
  ["CRLF NUL.CRLF", "\r\n\0.\r\n"],
  ["CRLF.NUL CRLF", "\r\n.\0\r\n"],
  ["LF..CRLF", "\n..\r\n"],
]

test.each(FALSE_ENDINGS)("%s does not end the content, and is refused", (_name, ending) => {
  const sent = `innocent${ending}MAIL FROM:<smuggled@x.test>\r\n.\r\nQUIT\r\n`
  for (const pieces of [[sent], bytewise(sent)]) {
    const { left, ended, refusal } = outcome(pieces)
    expect({ left, ended }).toEqual({ left: "QUIT\r\n", ended: true })
    expect(refusal).toBe(ending.includes("\0") ? "NUL_IN_CONTENT" : "BARE_LINE_END")
  }
})

describe("counted content", () => {
  test("has no stuffed dots and no end of its own", () => {
    const sent = "..\r\n.\r\nx\r\n"
    expect(outcome([sent], "counted")).toEqual({ content: sent, left: "", ended: false, refusal: undefined })
  })

  test("may not end in a bare CR", () => {
    const reader = new ContentReader("counted")
    reader.read(Buffer.from("x\r"))
    reader.finish()
    expect(reader.refusal).toBe("BARE_LINE_END")
  })

  test("says whether it ends inside a line", () => {
    const reader = new ContentReader("counted")
    expect(reader.endsInsideLine).toBe(false)
    reader.read(Buffer.from("x\r\ny"))
    expect(reader.endsInsideLine).toBe(true)
  })
})

test("a line may be as long as the limit, also in pieces, and no longer", () => {
  const line = "x".repeat(LINE_BYTES_MAX - 1) // and the CR
  expect(outcome([`${line}\r\n.\r\n`]).refusal).toBeUndefined()
  expect(outcome([line.slice(5), line.slice(0, 5), "\r\n", `${line}\r\n.\r\n`]).refusal).toBeUndefined()
  expect(outcome([`${line}xx\r\n.\r\n`]).refusal).toBe("LINE_TOO_LONG")
  expect(outcome([line, "xx"]).refusal).toBe("LINE_TOO_LONG")
})

const fragment = fc.constantFrom("\r", "\n", "\r\n", ".", "..", "\0", "a", "\r\n.", "\r\n.\r\n", "Subject: x")
const smtpText = fc.array(fragment, { maxLength: 30 }).map((parts) => parts.join(""))

test("however the bytes are cut, what is read is the same", () => {
  fc.assert(
    fc.property(smtpText, fc.array(fc.nat(60)), fc.constantFrom<Ending>("dot", "counted"), (text, cuts, ending) => {
      const at = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length]
      const pieces = at.slice(1).map((to, index) => text.slice(at[index], to))
      const { content, ...whole } = outcome([text], ending)
      const { content: pieced, ...rest } = outcome(pieces, ending)
      expect(rest).toEqual(whole)
      if (whole.refusal === undefined) expect(pieced).toBe(content)
    }),
    { numRuns: 2000 },
  )
})

test("what a sender stuffs by RFC 5321 §4.5.2 comes out unchanged", () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[.a-z ]*$/), { maxLength: 20 }), (lines) => {
      const content = lines.map((line) => `${line}\r\n`).join("")
      const stuffed = lines.map((line) => `${line.startsWith(".") ? "." : ""}${line}\r\n`).join("")
      expect(outcome([`${stuffed}.\r\n`]).content).toBe(content)
    }),
  )
})
