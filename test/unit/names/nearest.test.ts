import { expect, test } from "@jest/globals"
import { didYouMean, nearest } from "../../../src/names/nearest.ts"

test.each([
  ["htps", "https"],
  ["tsl", "tls"],
  ["Alice", "alice"],
  ["domians", "domains"],
])("%s was meant to be %s", (word, meant) => {
  expect(nearest(word, ["https", "http2", "tls", "alice", "domains"])).toBe(meant)
})

test("a word that is like none is not guessed", () => {
  expect(nearest("carol", ["alice", "dave"])).toBeUndefined()
  expect(nearest("", [])).toBeUndefined()
})

test("without a guess, everything there is is named", () => {
  expect(didYouMean("carol", ["alice", "dave"], "friends")).toBe("the friends are: alice, dave")
  expect(didYouMean("carol", [], "friends")).toBe("there are no friends yet")
})
