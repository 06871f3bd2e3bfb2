/** What of a sanitizer's report fails a run. */
import { expect, test } from "@jest/globals"
import { ourReport } from "../../../tools/sanitizers/our-report.ts"

const NODES_LEAK = `Direct leak of 40 byte(s) in 1 object(s) allocated from:
    #0 0x7f7a in operator new(unsigned long) ../../../../src/libsanitizer/asan/asan_new_delete.cpp:95
    #1 0x8b54 in napi_create_external (/somewhere/bin/node+0x8b54eb)
    #2 0x7f77 in open_engine /somewhere/native/engine.c:116`

const OUR_LEAK = `Indirect leak of 512 byte(s) in 1 object(s) allocated from:
    #0 0x7f7a in __interceptor_realloc ../../../../src/libsanitizer/asan/asan_malloc_linux.cpp:85
    #1 0x7f77 in take_memory /somewhere/native/bytes.c:12
    #2 0x7f77 in flow_keep /somewhere/native/flow.c:120`

/** As the tools lay it out: a rule, a headline, paragraphs, a sum. */
const leaks = (...paragraphs: string[]): string => `
=================================================================
==1==ERROR: LeakSanitizer: detected memory leaks

${paragraphs.join("\n\n")}

SUMMARY: AddressSanitizer: 552 byte(s) leaked in 2 allocation(s).
`

const LENT_LEAK = NODES_LEAK.replace("napi_create_external", "napi_create_threadsafe_function")

test("what the engine lost is kept, what Node lost is not", () => {
  expect(ourReport(leaks(NODES_LEAK, OUR_LEAK))).toBe(OUR_LEAK)
  expect(ourReport(leaks(NODES_LEAK, LENT_LEAK))).toBe(LENT_LEAK)
  expect(ourReport(leaks(NODES_LEAK))).toBe("")
})

test("a search for leaks that could not be made is no fault", () => {
  const failed =
    "Tracer caught signal 11: addr=0x7\n==1==LeakSanitizer has encountered a fatal error.\n==1==HINT: try\n"
  expect(ourReport(failed)).toBe("")
})

test.each([
  "==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x6\n    #0 0x7 in leave /somewhere/native/connection.c:9",
  "native/loop.c:179:50: runtime error: signed integer overflow",
  "WARNING: ThreadSanitizer: data race (pid=1)\n  Write of size 8 at 0x7 by main thread:",
  "something that no version has said before",
])("any other report is: %s", (report) => {
  expect(ourReport(`\n=================================================================\n${report}\n\n`)).toContain(
    report,
  )
  expect(ourReport(`${report}\n\n${leaks(NODES_LEAK)}`)).toBe(report)
})
