/**
 * A program of a test, run in its own process under the recorder: everything its sockets held in the clear can be read
 * afterwards. It is told to stop by closing its standard input, and is gone when the test ends.
 */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  readRecording,
  recorderArguments,
  RECORDING_VARIABLE,
  type HeldStream,
} from "../../src/lab/recorder/recording.ts"

export type RecordedProgram = {
  readonly child: ChildProcessWithoutNullStreams
  /** The first line it printed. */
  readonly said: string
  held(): Promise<readonly HeldStream[]>
  end(): Promise<void>
}

/** Runs TypeScript given as text (an ES module; imports as from the repository's root) and waits for its first line. */
export async function recordedProgram(source: string): Promise<RecordedProgram> {
  const folder = await mkdtemp(join(tmpdir(), "waypost-recorded-"))
  const recording = join(folder, "recording.jsonl")
  const child = spawn(process.execPath, [...recorderArguments(), "--input-type=module-typescript", "-e", source], {
    env: { ...process.env, [RECORDING_VARIABLE]: recording, NODE_OPTIONS: "" },
  })
  child.stderr.pipe(process.stderr)
  const [first] = (await once(child.stdout, "data")) as [Buffer]
  return {
    child,
    said: first.toString().trim(),
    held: () => readRecording(recording),
    end: async () => {
      child.kill("SIGKILL")
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
      await rm(folder, { recursive: true })
    },
  }
}
