import { gunzipSync } from "node:zlib"
import { describe, expect, test } from "@jest/globals"
import { reportMail, tlsReport } from "../../../../src/smtp/tls-report/report.ts"
import { resultType } from "../../../../src/smtp/tls-report/outcome.ts"
import { counted, DOMAINS_PER_DAY_MAX, KINDS_MAX, type DayTally } from "../../../../src/smtp/tls-report/tally.ts"
import { checked } from "../../../support/delivery.ts"
import { readMime } from "../../../support/mime.ts"

const DOMAIN = checked("company-y.example")
const X = { name: checked("company-x.example"), contact: "sts-reporting@company-x.example" }
const STS = {
  type: "sts",
  lines: ["version: STSv1", "mode: testing", "mx: *.mail.company-y.example", "max_age: 86400"],
  mx: ["*.mail.company-y.example"],
} as const

/** What RFC 8460 appendix B has happened. */
const TALLY: DayTally = {
  day: "2016-04-01",
  domain: DOMAIN,
  policies: [
    {
      policy: STS,
      successes: 5326,
      failures: [
        failure("certificate-expired", "mx1.mail.company-y.example", { sendingIp: "2001:db8:abcd:0012::1" }, 100),
        failure(
          "starttls-not-supported",
          "mx2.mail.company-y.example",
          { sendingIp: "2001:db8:abcd:0013::1", receivingIp: "203.0.113.56" },
          200,
        ),
        failure(
          "validation-failure",
          "mx-backup.mail.company-y.example",
          { sendingIp: "198.51.100.62", receivingIp: "203.0.113.58" },
          3,
        ),
      ],
    },
  ],
}

describe("a report on TLS", () => {
  test("has the form of RFC 8460 appendix B", () => {
    expect(JSON.parse(JSON.stringify(tlsReport(TALLY, X)))).toEqual({
      "organization-name": "company-x.example",
      "date-range": { "start-datetime": "2016-04-01T00:00:00Z", "end-datetime": "2016-04-01T23:59:59Z" },
      "contact-info": "sts-reporting@company-x.example",
      "report-id": "2016-04-01.company-y.example@company-x.example",
      policies: [
        {
          policy: {
            "policy-type": "sts",
            "policy-string": ["version: STSv1", "mode: testing", "mx: *.mail.company-y.example", "max_age: 86400"],
            "policy-domain": "company-y.example",
            "mx-host": ["*.mail.company-y.example"],
          },
          summary: { "total-successful-session-count": 5326, "total-failure-session-count": 303 },
          "failure-details": [
            {
              "result-type": "certificate-expired",
              "sending-mta-ip": "2001:db8:abcd:0012::1",
              "receiving-mx-hostname": "mx1.mail.company-y.example",
              "failed-session-count": 100,
              "failure-reason-code": "why",
            },
            {
              "result-type": "starttls-not-supported",
              "sending-mta-ip": "2001:db8:abcd:0013::1",
              "receiving-mx-hostname": "mx2.mail.company-y.example",
              "receiving-ip": "203.0.113.56",
              "failed-session-count": 200,
              "failure-reason-code": "why",
            },
            {
              "result-type": "validation-failure",
              "sending-mta-ip": "198.51.100.62",
              "receiving-mx-hostname": "mx-backup.mail.company-y.example",
              "receiving-ip": "203.0.113.58",
              "failed-session-count": 3,
              "failure-reason-code": "why",
            },
          ],
        },
      ],
    })
  })

  test("travels as a mail of RFC 8460 §5.3", () => {
    const mail = readMime(
      reportMail(TALLY, X, { id: "7f3a", to: ["tls@company-y.example"], at: Date.parse("2016-04-02T02:00:00Z") }),
    )
    expect(mail.header("subject")).toBe(
      "Report Domain: company-y.example Submitter: company-x.example Report-ID: <2016-04-01.company-y.example@company-x.example>",
    )
    expect(mail.header("content-type")).toMatch(/^multipart\/report; report-type="tlsrpt";/)
    expect(mail.header("tls-report-domain")).toBe("company-y.example")
    expect(mail.header("tls-report-submitter")).toBe("company-x.example")
    expect(mail.header("tls-required")).toBe("No")
    const [text, report] = mail.parts
    expect(text?.text()).toContain("TLS with the mail hosts of company-y.example")
    expect(report?.header("content-type")).toBe("application/tlsrpt+gzip")
    expect(report?.header("content-disposition")).toContain(
      'filename="company-x.example!company-y.example!1459468800!1459555199!7f3a.json.gz"',
    )
    const lines = report?.text().split("\r\n") ?? []
    expect(lines.every((line) => line.length <= 76)).toBe(true)
    const json = gunzipSync(Buffer.from(lines.join(""), "base64")).toString()
    expect(json).toBe(JSON.stringify(tlsReport(TALLY, X)))
  })
})

describe("counting", () => {
  const day = "2026-11-29"
  const wrong = (reason: string) => ({ ...failure("tlsa-invalid", "mx.company-y.example", {}, 1), reason })
  const outcome = (reason?: string, domain = DOMAIN) => {
    const { sessions: _, ...why } = wrong(reason ?? "")
    return { domain, policy: STS, failure: reason === undefined ? undefined : why }
  }
  const all = (outcomes: readonly ReturnType<typeof outcome>[]) =>
    outcomes.reduce<readonly DayTally[]>((tallies, one) => counted(tallies, day, one), [])

  test("puts together what is the same, and loses no session where kinds are too many", () => {
    expect(all([outcome(), outcome(), outcome("a"), outcome("a"), outcome("b")])).toEqual([
      {
        day,
        domain: DOMAIN,
        policies: [{ policy: STS, successes: 2, failures: [{ ...wrong("a"), sessions: 2 }, wrong("b")] }],
      },
    ])
    const [many] = all(Array.from({ length: KINDS_MAX + 20 }, (_, at) => outcome(`reason ${at}`)))
    const failures = many?.policies[0]?.failures ?? []
    expect(failures).toHaveLength(KINDS_MAX)
    expect(failures.reduce((sum, { sessions }) => sum + sessions, 0)).toBe(KINDS_MAX + 20)
  })

  test("keeps days apart, and no more domains than it may", () => {
    const two = counted(counted([], day, outcome()), "2026-11-30", outcome())
    expect(two.map((one) => one.day)).toEqual([day, "2026-11-30"])
    const full = Array.from({ length: DOMAINS_PER_DAY_MAX }, (_, at) => ({
      day,
      domain: checked(`d${at}.example`),
      policies: [],
    }))
    expect(counted(full, day, outcome())).toBe(full)
  })
})

test.each([
  [{ refused: true, unproven: false, reason: "502" }, "starttls-not-supported"],
  [{ refused: false, unproven: true, reason: "no TLSA record matches" }, "tlsa-invalid"],
  [
    { refused: false, unproven: false, reason: "Hostname/IP does not match certificate's altnames: x" },
    "certificate-host-mismatch",
  ],
  [{ refused: false, unproven: false, reason: "certificate has expired" }, "certificate-expired"],
  [{ refused: false, unproven: false, reason: "unable to verify the first certificate" }, "certificate-not-trusted"],
  [{ refused: false, unproven: false, reason: "self-signed certificate" }, "certificate-not-trusted"],
  [{ refused: false, unproven: false, reason: "wrong version number" }, "validation-failure"],
] as const)("what went wrong, in the words of RFC 8460 §4.3: %o is %s", (failed, result) => {
  expect(resultType(failed)).toBe(result)
})

function failure(
  result: DayTally["policies"][number]["failures"][number]["result"],
  host: string,
  { sendingIp, receivingIp }: { readonly sendingIp?: string; readonly receivingIp?: string },
  sessions: number,
) {
  return { result, host, sendingIp, receivingIp, reason: "why", sessions }
}
