import { describe, expect, test } from "@jest/globals"
import { judge } from "../../../src/policy/judge.ts"
import { brokenPromises } from "../../../src/policy/promises.ts"
import { brokenPromiseSentence, personName, sentencesFor, warningSentence } from "../../../src/policy/sentences.ts"
import {
  TRUTH_ROWS,
  dedicated,
  facts,
  HOST,
  PEER_MAIL,
  peerWeb,
  RECIPIENT,
  route,
  SNI,
  STARTTLS_SNI,
} from "../../support/truth-table.ts"

const people = { operator: "Bob", owner: "Alice" }

describe("what is said of Alice's dedicated HTTPS:", () => {
  const said = sentencesFor(judge(route("tls", SNI, dedicated()), facts({})), "Bob", "Alice")

  test("one sentence for each of the six powers", () => {
    expect(said).toHaveLength(6)
  })

  test("it is not read", () => {
    expect(said[0]).toBe("Bob cannot read Alice's web traffic, because TLS ends at Alice's box.")
  })

  test("but its place could be taken, and what stands against that", () => {
    expect(said[2]).toBe(
      "Bob could by an attack answer in Alice's place, because Alice's name leads to Bob's relay, so a CA that looks there would give Bob a certificate for it, and read whoever is led there. Against it: CAA with accounturi and validationmethods, in a zone signed at home; a watch on certificate transparency logs; probes of the public name from elsewhere, compared with the box's key.",
    )
  })
})

test("of peer mail it is said that it is read", () => {
  const [read] = sentencesFor(judge(route("smtp", RECIPIENT, PEER_MAIL), facts({})), "Bob", "Alice")
  expect(read).toMatch(/^Bob can read Alice's mail, because the connection ends at Bob's relay/)
})

test("of mail that only partly ends at the relay it is said that some of it is read", () => {
  const verdict = judge(route("smtp", STARTTLS_SNI, dedicated("peer")), facts({}))
  expect(sentencesFor(verdict, "Bob", "Alice")[0]).toMatch(
    /^Bob can read some of Alice's mail, because senders whose TLS names nobody/,
  )
})

test("what passes is named by its service, or by its listener where that tells nothing", () => {
  const at = (listener: string) =>
    sentencesFor(judge({ ...route("tls", SNI, dedicated()), listener }, facts({})), "Bob", "Alice")[0]
  expect(at("https-2")).toContain("Alice's web traffic")
  expect(at("imaps")).toContain("Alice's mail")
  expect(at("chat")).toContain("what passes at Alice's chat")
})

test("a friend's name in the configuration is a person's name in a sentence", () => {
  expect(personName("alice")).toBe("Alice")
})

test("nothing that can be found is left without words", () => {
  for (const { verdict } of TRUTH_ROWS) {
    const said = [
      ...sentencesFor(verdict, "Bob", "Alice"),
      ...verdict.warnings.map((code) => warningSentence(code, verdict, people)),
    ]
    for (const sentence of said) expect(sentence).toMatch(/^Bob (can|cannot|could by an attack) .+, because .+\.$/)
  }
})

describe("the promise that no route lets the relay read", () => {
  const sealed = {
    name: "alice",
    promise: "sealed",
    domains: [],
    addresses: [],
    takesOver: [],
    bytesPerSecondMax: undefined,
    notesTo: undefined,
    wakeFrom: [],
    odmrSecretFile: undefined,
    outgoingMail: undefined,
    routes: [],
  } as const
  const readsWeb = judge(route("http", HOST, peerWeb(false)), facts({}))
  const readsSome = judge(route("smtp", STARTTLS_SNI, dedicated("peer")), facts({}))
  const readsByAttack = judge(route("smtp", STARTTLS_SNI, dedicated()), facts({}))

  test("is broken by a route that reads, and by one that reads a part", () => {
    expect(brokenPromises([sealed], [readsWeb, readsSome, readsByAttack]).map(({ route: name }) => name)).toEqual([
      "alice/http",
      "alice/smtp",
    ])
  })

  test("binds nobody who made none", () => {
    expect(brokenPromises([{ ...sealed, promise: "none" }], [readsWeb])).toEqual([])
  })

  test("is told with the route and the reason", () => {
    const [broken] = brokenPromises([sealed], [readsWeb])
    expect(broken && brokenPromiseSentence(broken, people)).toBe(
      "Alice was promised that no route lets Bob read, but alice/http does, because the connection ends at Bob's relay, which makes another to the box.",
    )
  })
})
