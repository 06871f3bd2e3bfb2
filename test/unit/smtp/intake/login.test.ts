import { createHmac } from "node:crypto"
import { describe, expect, test } from "@jest/globals"
import * as fc from "fast-check"
import { beginLogin, Login, type Mechanism } from "../../../../src/smtp/intake/login.ts"

/** RFC 2195 §2's own example. */
const CHALLENGE = "<1896.697170952@postoffice.reston.mci.net>"
const SECRET = "tanstaaftanstaaf"
const RESPONSE = "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"

const BOTH: readonly Mechanism[] = ["CRAM-MD5", "PLAIN"]

describe("CRAM-MD5", () => {
  test("is the dialogue of RFC 2195", () => {
    const login = begun("AUTH CRAM-MD5")
    const challenge = { kind: "challenge", text: "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+" }
    expect(login.begin()).toEqual(challenge)
    const claim = login.respond(RESPONSE)
    expect(claim).toMatchObject({ kind: "claim", name: "tim" })
    expect([proves(claim, SECRET), proves(claim, `${SECRET}x`), proves(claim, "")]).toEqual([true, false, false])
  })

  test("of another challenge proves nothing", () => {
    const login = new Login("CRAM-MD5", undefined, "<another@relay.bob.example>")
    expect(proves(login.respond(RESPONSE), SECRET)).toBe(false)
  })

  test("takes a name with spaces, and no upper-case or short digest", () => {
    const digest = createHmac("md5", SECRET).update(CHALLENGE).digest("hex")
    const login = begun("AUTH CRAM-MD5")
    expect(login.respond(base64(`my name ${digest}`))).toMatchObject({ kind: "claim", name: "my name" })
    for (const wrong of [digest.toUpperCase(), digest.slice(1)]) {
      expect(login.respond(base64(`tim ${wrong}`))).toMatchObject({ why: { code: "LOGIN_WRONG" } })
    }
  })

  test("has no initial response", () => {
    expect(begun(`AUTH CRAM-MD5 ${RESPONSE}`).begin()).toMatchObject({ why: { code: "COMMAND_MALFORMED" } })
  })
})

describe("PLAIN", () => {
  test.each([
    ["at once", "AUTH PLAIN AGRhdmUAc2VjcmV0", undefined],
    ["when it is asked", "AUTH plain", "AGRhdmUAc2VjcmV0"],
    ["as himself", "AUTH PLAIN", base64("dave\0dave\0secret")],
  ])("is said %s", (_, line, response) => {
    const login = begun(line)
    const first = login.begin()
    const claim = response === undefined ? first : login.respond(response)
    if (response !== undefined) expect(first).toEqual({ kind: "challenge", text: "" })
    expect(claim).toMatchObject({ kind: "claim", name: "dave" })
    expect([proves(claim, "secret"), proves(claim, "secre"), proves(claim, "secret ")]).toEqual([true, false, false])
  })

  test.each(["alice\0dave\0secret", "dave\0secret", "\0\0secret", "\0dave\0", "\0dave\0a\0b"])("is not %j", (text) =>
    expect(begun("AUTH PLAIN").respond(base64(text))).toMatchObject({ why: { code: "LOGIN_WRONG" } }),
  )

  test("is not known where it is not offered", () => {
    expect(beginLogin("AUTH PLAIN", ["CRAM-MD5"], () => CHALLENGE)).toMatchObject({ code: "MECHANISM_UNKNOWN" })
  })
})

test.each(["*", "no base64", "AGRh=mUA", ""])("%j ends a login", (line) => {
  const why = line === "" ? "LOGIN_WRONG" : "COMMAND_MALFORMED"
  expect(begun("AUTH PLAIN").respond(line)).toMatchObject({ why: { code: why } })
})

test("never throws, whatever is said", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "binary" }),
      fc.constantFrom(...BOTH),
      (line, response, mechanism) => {
        beginLogin(`AUTH ${line}`, BOTH, () => CHALLENGE)
        for (const text of [response, base64(response)]) {
          const step = new Login(mechanism, undefined, CHALLENGE).respond(text)
          if (step.kind === "claim") step.proves(response)
        }
      },
    ),
  )
})

function begun(line: string): Login {
  const login = beginLogin(line, BOTH, () => CHALLENGE)
  if (!(login instanceof Login)) throw new Error(login.code)
  return login
}

function proves(step: ReturnType<Login["respond"]>, secret: string): boolean | undefined {
  return step.kind === "claim" ? step.proves(secret) : undefined
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64")
}
