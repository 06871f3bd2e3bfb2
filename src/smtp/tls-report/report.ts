/** Writes a report on TLS: the JSON of RFC 8460 §4.4, and the mail that carries it (§5). Pure. */
import { gzipSync } from "node:zlib"
import type { Instant } from "../../clock/clock.ts"
import type { Hostname } from "../../names/hostname.ts"
import { dateTime, field } from "../dsn/fields.ts"
import { mimePart } from "../dsn/mime-part.ts"
import type { DayTally, PolicyTally } from "./tally.ts"

export type Reporter = {
  /** The relay: the organisation, and the submitter. */
  readonly name: Hostname
  /** Whom to ask about the report. */
  readonly contact: string
}

const DAY_MS = 24 * 3_600_000
/** RFC 2045 §6.8. */
const BASE64_LINE_CHARS = 76

/** RFC 8460 §4.4. The id is the same whenever the same day of the same domain is reported: a second copy can be told. */
export function tlsReport(tally: DayTally, { name, contact }: Reporter): object {
  const { begin, end } = daySpan(tally.day)
  return {
    "organization-name": name,
    "date-range": { "start-datetime": seconds(begin), "end-datetime": seconds(end) },
    "contact-info": contact,
    "report-id": reportId(tally, name),
    policies: tally.policies.map((policy) => policyReport(policy, tally.domain)),
  }
}

function policyReport({ policy, successes, failures }: PolicyTally, domain: Hostname): object {
  return {
    policy: {
      "policy-type": policy.type,
      "policy-string": policy.lines,
      "policy-domain": domain,
      ...(policy.mx.length > 0 && { "mx-host": policy.mx }),
    },
    summary: {
      "total-successful-session-count": successes,
      "total-failure-session-count": failures.reduce((sum, { sessions }) => sum + sessions, 0),
    },
    ...(failures.length > 0 && {
      "failure-details": failures.map((failure) => ({
        "result-type": failure.result,
        "sending-mta-ip": failure.sendingIp,
        "receiving-mx-hostname": failure.host,
        "receiving-ip": failure.receivingIp,
        "failed-session-count": failure.sessions,
        "failure-reason-code": failure.reason,
      })),
    }),
  }
}

function reportId({ day, domain }: DayTally, name: Hostname): string {
  return `${day}.${domain}@${name}`
}

function daySpan(day: string): { readonly begin: Instant; readonly end: Instant } {
  const begin = Date.parse(day)
  return { begin, end: begin + DAY_MS - 1000 }
}

/** RFC 3339, without a fraction. */
function seconds(at: Instant): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, "Z")
}

/** RFC 8460 §5.3. `id`: of the message. */
export function reportMail(
  tally: DayTally,
  reporter: Reporter,
  { id, to, at }: { readonly id: string; readonly to: readonly string[]; readonly at: Instant },
): Buffer {
  const { name, contact } = reporter
  const { begin, end } = daySpan(tally.day)
  const boundary = `=_${id}`
  const file = `${name}!${tally.domain}!${begin / 1000}!${end / 1000}!${id}.json.gz`
  const header = [
    field("Date", dateTime(at)),
    field("From", `"Mail relay ${name}" <${contact}>`),
    field("To", to.map((address) => `<${address}>`).join(", ")),
    field("Subject", `Report Domain: ${tally.domain} Submitter: ${name} Report-ID: <${reportId(tally, name)}>`),
    field("Message-ID", `<${id}@${name}>`),
    field("TLS-Report-Domain", tally.domain),
    field("TLS-Report-Submitter", name),
    field("TLS-Required", "No"), // RFC 8689 §5: what it reports must not hold it up
    field("Auto-Submitted", "auto-generated"),
    field("MIME-Version", "1.0"),
    field("Content-Type", `multipart/report; report-type="tlsrpt"; boundary="${boundary}"`),
  ].join("")
  const text = `How TLS with the mail hosts of ${tally.domain} went on ${tally.day} (UTC), as ${name} saw it.\r\n`
  const parts = [mimePart("text/plain; charset=utf-8", Buffer.from(text)), gzipPart(file, tlsReport(tally, reporter))]
  return Buffer.from(`${header}\r\n${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join("")}--${boundary}--\r\n`)
}

function gzipPart(file: string, report: object): string {
  const base64 = gzipSync(JSON.stringify(report)).toString("base64")
  const lines = base64.match(new RegExp(`.{1,${BASE64_LINE_CHARS}}`, "g")) ?? []
  const header = [
    "Content-Type: application/tlsrpt+gzip",
    "Content-Transfer-Encoding: base64",
    `Content-Disposition: attachment; filename="${file}"`,
  ]
  return `${header.join("\r\n")}\r\n\r\n${lines.join("\r\n")}`
}
