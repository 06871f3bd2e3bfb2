/**
 * Runs everything that passes bytes through the native engine once more, with the engine built to watch itself: each
 * access to memory and each undefined operation (AddressSanitizer, UndefinedBehaviorSanitizer), or each access that two
 * threads do not agree on (ThreadSanitizer). Any report fails the run, whatever the tests themselves say of it.
 *
 *   npm run sanitize                                      both, one after the other
 *   npm run sanitize -- thread                            one of them: `address` or `thread`
 *   npm run sanitize -- thread test/unit/net -t crash     what follows is for jest
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ADDON_FILE_VARIABLE } from "../src/net/native/addon.ts"
import { buildNative } from "./build-native.ts"
import { ourReport } from "./sanitizers/our-report.ts"

const ROOT = join(import.meta.dirname, "..")
/** Where bytes are passed: the engine's own tests, and the relay's decisions carried out by it. */
const TESTS = ["test/unit/net/", "test/unit/relay/passthrough-carries"]
/** Ours: instrumented code is several times slower. */
const TEST_TIMEOUT_MS = 180_000
/** Ours: many times what all of it takes. A test that failed may leave open what keeps jest from ending. */
const RUN_MS_MAX = 30 * 60_000

type Sanitizer = {
  /** As -fsanitize takes it. */
  readonly flags: string
  /** Loaded ahead of Node, which is not instrumented itself. */
  readonly libraries: readonly string[]
  readonly options: Readonly<Record<string, string>>
  /** What starts Node. */
  readonly starter: readonly string[]
}

const ADDRESS: Sanitizer = {
  flags: "address,undefined",
  libraries: ["libasan.so", "libubsan.so"],
  // Leaks are found when a process ends, most of them Node's own: they may not change how it ends.
  options: { ASAN_OPTIONS: "detect_leaks=1:exitcode=0", UBSAN_OPTIONS: "print_stacktrace=1" },
  starter: [],
}
const THREAD: Sanitizer = {
  flags: "thread",
  libraries: ["libtsan.so"],
  // What Node does with memory was not compiled to be watched, and would be misread.
  options: { TSAN_OPTIONS: "ignore_noninstrumented_modules=1" },
  starter: ["setarch", "-R"], // where addresses are random, the memory it needs for itself may be taken
}
const SANITIZERS = new Map([
  ["address", ADDRESS],
  ["thread", THREAD],
])

const [first = "", ...more] = process.argv.slice(2)
const one = SANITIZERS.get(first)
const forJest = one ? more : process.argv.slice(2)
const clean = (one ? [one] : [...SANITIZERS.values()]).map((sanitizer) => isClean(sanitizer, forJest))
process.exitCode = clean.every(Boolean) ? 0 : 1

/** Whether every test passed and nothing was reported. */
function isClean(sanitizer: Sanitizer, jestArguments: readonly string[]): boolean {
  const { flags } = sanitizer
  const built = buildNative({ sanitize: flags })
  if (built.kind === "failed") {
    console.error(`-fsanitize=${flags}: not built. ${built.why}`)
    return false
  }
  const folder = mkdtempSync(join(tmpdir(), "waypost-sanitize-"))
  try {
    const environment = { ...watching(sanitizer, join(folder, "report")), [ADDON_FILE_VARIABLE]: built.file }
    const { status, signal } = test(sanitizer.starter, environment, jestArguments.length > 0 ? jestArguments : TESTS)
    const reports = readdirSync(folder).map((name) => ourReport(readFileSync(join(folder, name), "utf8")))
    const ours = reports.filter((report) => report !== "")
    for (const report of ours) console.error(report)
    console.log(`-fsanitize=${flags}: jest ended with ${signal ?? status}, ${ours.length} processes were reported`)
    return status === 0 && ours.length === 0
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function watching({ libraries, options }: Sanitizer, reports: string): Record<string, string> {
  const into = Object.entries(options).map(([name, value]) => [name, `${value}:log_path=${reports}`])
  return { ...Object.fromEntries(into), LD_PRELOAD: libraries.map(pathOf).join(":") }
}

function pathOf(library: string): string {
  const { stdout } = spawnSync(process.env["CC"] ?? "cc", [`-print-file-name=${library}`], { encoding: "utf8" })
  return realpathSync(stdout.trim())
}

function test(starter: readonly string[], environment: Record<string, string>, jestArguments: readonly string[]) {
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", "--experimental-vm-modules"]
  const jest = ["node_modules/jest/bin/jest.js", "--selectProjects=unit", "--runInBand"]
  const command = [...starter, ...node, ...jest, `--testTimeout=${TEST_TIMEOUT_MS}`, ...jestArguments]
  const env = { ...process.env, ...environment }
  return spawnSync(command[0] ?? "", command.slice(1), { cwd: ROOT, env, stdio: "inherit", timeout: RUN_MS_MAX })
}
