import { configFaultText, type ConfigRead } from "../../config/read-config.ts"
import { systemClock } from "../../clock/clock.ts"
import { publishedFor } from "../../relay/look-at-home.ts"
import { senderRecords } from "../../relay/outgoing-records.ts"
import { readRelayFile } from "../../relay/quarantine.ts"
import { assess } from "../../relay/assessment.ts"
import { readConfigFile } from "../config-file.ts"
import { EXIT } from "../exit-code.ts"
import { assessmentText, verdictsText } from "../assessment-text.ts"
import { recordsText, senderRecordsText } from "../records-text.ts"
import { columns, say, sayJson } from "../terminal.ts"
import { CONFIG, JSON_OUTPUT, verb } from "../verb.ts"

/** `waypost check -c FILE`: the faults of a configuration, or what it lets the relay's operator do. */
export const check = verb({
  synopsis: "check",
  does: "show a configuration's faults, or the verdict for every route",
  options: {
    config: CONFIG,
    json: JSON_OUTPUT,
    dns: {
      type: "boolean",
      default: false,
      describe: "print what friends publish for mail: zone lines and MTA-STS policy",
    },
    why: { type: "boolean", default: false, describe: "say every verdict in sentences, with what helps" },
  },
  examples: [
    ["waypost check -c relay.yaml", "exit code 1: a promise is broken; 78: the file has faults"],
    [
      "waypost check --dns -c relay.yaml",
      "looks at each friend's mail server, or the relay's own state, for the key (TLSA)",
    ],
  ],
  run: async ({ config: file, json, why, dns }) => {
    const read = await readAsTheRelay(file)
    if (read.kind === "faults") {
      if (json) sayJson({ faults: read.faults })
      else say(read.faults.map(configFaultText).join("\n"))
      return EXIT.configuration
    }
    if (dns) {
      const [records, sending] = [await publishedFor(read.config, systemClock), senderRecords(read.config)]
      const texts = [recordsText(records, columns()), senderRecordsText(sending, columns())]
      if (json) sayJson([...records, ...sending])
      else say(texts.filter((text) => text !== "").join("\n\n"))
      return EXIT.fine
    }
    const assessment = assess(read.config)
    if (json) sayJson(assessment)
    else if (why) say(verdictsText(read.config, assessment.verdicts, columns()))
    else say(assessmentText(assessment, columns()))
    return assessment.broken.length > 0 ? EXIT.failed : EXIT.fine
  },
})

/** Whose the names were last is in the state folder; who may not look into it is told of everything else. */
async function readAsTheRelay(file: string): Promise<ConfigRead> {
  try {
    return await readRelayFile(file, systemClock)
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EACCES")) throw error
    return readConfigFile(file)
  }
}
