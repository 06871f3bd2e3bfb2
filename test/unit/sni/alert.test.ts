import { expect, test } from "@jest/globals"
import { faults, kindOf, type FaultCode } from "../../../src/faults/faults.ts"
import { alertRecord } from "../../../src/sni/alert.ts"

test("an alert is one fatal record of its own", () => {
  expect(Buffer.from(alertRecord("unrecognized_name")).toString("hex")).toBe("15030300020270")
})

test.each([
  ["NOT_TLS", 10],
  ["RECORD_TOO_LARGE", 22],
  ["HELLO_AMBIGUOUS", 47],
  ["HELLO_MALFORMED", 50],
  ["HELLO_VERSION", 70],
  ["BACKEND_REFUSES", 80],
  ["NAME_UNKNOWN", 112],
] as const)("%s is answered with alert %i of RFC 8446 §6", (code, description) => {
  const { alert } = faults[code]
  expect(alertRecord(alert).at(-1)).toBe(description)
})

test("every alert that a fault names can be sent", () => {
  for (const code of Object.keys(faults) as FaultCode[]) {
    // the keys of a value are its type's keys
    const { alert } = kindOf(code)
    if (alert) expect(alertRecord(alert)).toHaveLength(7)
  }
})
