import { describe, expect, test } from "@jest/globals"
import { execFileSync } from "node:child_process"
import { MAIN, waypost } from "../../support/waypost.ts"

describe("the command line", () => {
  test("without a verb says how to go on and exits 2", async () => {
    expect(await waypost()).toEqual({
      code: 2,
      out: "",
      err: 'waypost: say what to do\n"waypost --help" shows what there is.\n',
    })
  })

  test.each([
    [["explan"], 'there is no verb "explan"; did you mean "explain"?'],
    [["xyzzy"], 'there is no verb "xyzzy"'],
    [["explain", "--jsno"], "--jsno is not an option here; did you mean --json?"],
    [["explain", "--xyzzy"], "--xyzzy is not an option here"],
    [["explain", "WP101", "WP102"], '"WP102" is one word too many'],
  ])("suggests the right spelling: %j", async (words, sentence) => {
    const { code, out, err } = await waypost(...words)
    expect({ code, out, first: err.split("\n")[0] }).toEqual({ code: 2, out: "", first: `waypost: ${sentence}` })
  })

  test("lists every verb and the exit codes in its help", async () => {
    const { code, out } = await waypost("--help")
    expect(code).toBe(0)
    expect(out).toMatch(/waypost explain \[code\]/)
    expect(out).toMatch(/Exit codes: 0 fine, 1 failed, 2 usage, 78 configuration\./)
  })

  test("ends without a word when nobody reads any more", () => {
    const script = `"$0" "$1" explain --json | head -1; echo "${"${PIPESTATUS[0]}"}"`
    expect(execFileSync("bash", ["-c", `${script} 2>&1`, process.execPath, MAIN], { encoding: "utf8" })).toBe("[\n0\n")
  })

  test("prints its version", async () => {
    expect(await waypost("--version")).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })

  test("prints a completion script that bash accepts", async () => {
    const { code, out } = await waypost("completion")
    expect(code).toBe(0)
    execFileSync("bash", ["-n"], { input: out })
  })
})
