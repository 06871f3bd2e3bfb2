import { expect, test } from "@jest/globals"
import type { Hostname } from "../../../../src/names/hostname.ts"
import type { IpAddress } from "../../../../src/names/ip-address.ts"
import { receivedLine, type Receipt } from "../../../../src/smtp/intake/received.ts"
import type { MessageId } from "../../../../src/store/spool.ts"

const receipt: Receipt = {
  by: "relay.bob.example" as Hostname,
  id: "abc" as MessageId,
  at: Date.UTC(2026, 10, 21, 7, 5, 9),
  client: { address: "192.0.2.1" as IpAddress, helo: "mx.sender.example" },
  extended: true,
  smtputf8: false,
  cipher: undefined,
  recipients: ["dave@dave.example"],
}

test("says from whom, by whom, how, for whom and when", () => {
  expect(receivedLine(receipt)).toBe(
    "Received: from mx.sender.example ([192.0.2.1])\r\n\tby relay.bob.example with ESMTP id abc\r\n" +
      "\tfor <dave@dave.example>;\r\n\tSat, 21 Nov 2026 07:05:09 +0000\r\n",
  )
})

test.each([
  [{ extended: false }, "with SMTP id"],
  [
    { cipher: "TLS_AES_256_GCM_SHA384" },
    "with ESMTPS id abc\r\n\tfor <dave@dave.example>\r\n\ttls TLS_AES_256_GCM_SHA384;",
  ],
  [{ smtputf8: true }, "with UTF8SMTP id"],
  [{ smtputf8: true, cipher: "TLS_AES_256_GCM_SHA384" }, "with UTF8SMTPS id"],
  [{ recipients: ["a@dave.example", "b@dave.example"] }, "id abc;\r\n"],
  [{ client: { ...receipt.client, helo: "[192.0.2.9]" } }, "from [192.0.2.9] ([192.0.2.1])\r\n"],
  [
    { client: { address: "2001:db8::1" as IpAddress, helo: "a b;(c)\r\n" } },
    "from [IPv6:2001:db8::1] (helo=a?b??c???)\r\n",
  ],
])("%j gives %j", (different, part) => {
  expect(receivedLine({ ...receipt, ...different })).toContain(part)
})
