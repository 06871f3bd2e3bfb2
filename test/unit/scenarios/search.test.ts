import { describe, expect, test } from "@jest/globals"
import { containsInSomeSpelling } from "../../scenarios/recorder/search.ts"

const SECRET = "Meet me at noon, behind the old mill"

describe("a text is found", () => {
  test.each([
    ["as it is", SECRET],
    ["after a dot that was doubled", "x\r\n..Meet me\r\n", ".Meet me"],
    ["in quoted-printable", "Meet me at=20noon, be=\r\nhind the old =6Dill", SECRET],
    ["in base64", `X: y\r\n\r\n${Buffer.from(`Hello!\r\n${SECRET}\r\n`).toString("base64")}\r\n`, SECRET],
    ["in base64 over several lines", folded(Buffer.from(`${"x".repeat(50)}${SECRET}`).toString("base64")), SECRET],
    ["in letters that ASCII lacks", "Grüße aus Köln", "Grüße"],
  ])("%s", (_, bytes, text = SECRET) => {
    expect(containsInSomeSpelling(Buffer.from(bytes), text)).toBe(true)
  })
})

describe("a text is not found", () => {
  test.each([
    ["in other words", "Meet me at one"],
    ["in its own letters, turned round", "noon at me Meet"],
    ["in nothing", ""],
  ])("%s", (_, bytes) => {
    expect(containsInSomeSpelling(Buffer.from(bytes), SECRET)).toBe(false)
  })
})

function folded(base64: string): string {
  return (base64.match(/.{1,20}/g) ?? []).join("\r\n")
}
