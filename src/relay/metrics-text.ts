/** Writes samples in the Prometheus text format, version 0.0.4. */

export type Metric = {
  readonly name: string
  readonly help: string
  readonly type: "counter" | "gauge"
  readonly samples: readonly Sample[]
}

export type Sample = { readonly labels?: Readonly<Record<string, string>>; readonly value: number }

export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

export function metricsText(metrics: readonly Metric[]): string {
  return metrics
    .map(({ name, help, type, samples }) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines(name, samples)}`)
    .join("")
}

function lines(name: string, samples: readonly Sample[]): string {
  return samples.map(({ labels = {}, value }) => `${name}${labelsText(labels)} ${value}\n`).join("")
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length > 0 ? `{${pairs.join(",")}}` : ""
}

/** "label_value can be any sequence of UTF-8 characters, but backslash, double-quote and line feed have to be escaped." */
function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`))
}
