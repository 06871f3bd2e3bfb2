/**
 * Bob's relay on a host of its own in a small internet of network namespaces: the program itself, started as he starts it,
 * under the recorder. What its process saw is asked as of Bob on loopback, with words that are not in the program's own
 * source: those are in its memory without anybody having said them.
 */
import { join } from "node:path"
import { configFaultText, readConfig } from "../../../src/config/read-config.ts"
import { assess } from "../../../src/relay/assessment.ts"
import type { Verdict } from "../../../src/policy/verdict.ts"
import type { Household, Started } from "../../support/household.ts"
import { missing } from "../../support/installed.ts"
import { publicAddress, whyNoNamespaces } from "../../support/namespaces.ts"
import { memoryHas, type Witness as Remembered } from "../recorder/memory.ts"
import type { Needs } from "./chapter.ts"
import type { Story } from "./story.ts"
import { isRecorded, recordedBytes, type Witness } from "./witness.ts"

/** Ours: a scene starts half a dozen programs one after the other, on a machine that may be busy with others. */
const SCENE_DEADLINE_MS = 240_000

/** What a chapter in namespaces needs: the servers and visitors there are real ones. */
export function outside(): Needs {
  return { lacks: whyNoNamespaces() ?? missing("curl", "nginx"), deadlineMs: SCENE_DEADLINE_MS }
}

export class RelayOutside implements Witness {
  readonly operator = "Bob"
  readonly story: Story
  readonly #started: Started
  readonly #recording: string
  readonly #verdicts: readonly Verdict[]

  /** The page shows this configuration. */
  static async start(home: Household, configuration: string, story: Story): Promise<RelayOutside> {
    const text = configuration.replaceAll("AT", publicAddress("relay")).replaceAll("HOST", "relay").trim()
    const read = readConfig(text, join(home.folder, "relay.yaml"))
    if (read.kind === "faults") throw new Error(read.faults.map(configFaultText).join("\n"))
    story.told = text.replaceAll(/\n\s*(?=\n)/g, "")
    const recording = join(home.folder, "recording.jsonl")
    const started = await home.relay("relay", text, recording)
    return new RelayOutside({ started, recording, verdicts: assess(read.config).verdicts }, story)
  }

  private constructor(
    about: { readonly started: Started; readonly recording: string; readonly verdicts: readonly Verdict[] },
    story: Story,
  ) {
    this.story = story
    this.#started = about.started
    this.#recording = about.recording
    this.#verdicts = about.verdicts
  }

  verdict(route: string): Verdict {
    const verdict = this.#verdicts.find(({ friend, listener }) => `${friend}/${listener}` === route)
    if (!verdict) throw new Error(`nothing is said about ${route}`)
    return verdict
  }

  holds(what: string): Promise<boolean> {
    return isRecorded(this.#recording, what)
  }

  remembers(what: string): Promise<Remembered> {
    return memoryHas(this.#started.child.pid ?? 0, what)
  }

  /** All that its process read or wrote on network connections. */
  recordedBytes(): Promise<number> {
    return recordedBytes(this.#recording)
  }

  /** As its operator stops it. */
  stops(): Promise<void> {
    return this.#started.stop()
  }
}
