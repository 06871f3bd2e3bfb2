import { expect, test } from "@jest/globals"
import { trafficText } from "../../../src/cli/traffic-text.ts"

test("one line for each friend, with sizes as people write them", () => {
  const alice = { connections: 12, bytesToBackend: 950, bytesToVisitor: 1_234_000_000 }
  const dave = { connections: 0, bytesToBackend: 0, bytesToVisitor: 12_000 }
  const text = trafficText(
    [
      {
        friend: "alice",
        ...alice,
        bytesPerSecondToBackend: 0,
        bytesPerSecondToVisitor: 9_960_000,
        bytesPerSecondMax: 10e6,
        outgoing: { running: 2, lastHour: 31 },
      },
      { friend: "dave", ...dave, bytesPerSecondToBackend: 0, bytesPerSecondToVisitor: 0, bytesPerSecondMax: undefined },
    ],
    100,
  )
  expect(text.split("\n")).toEqual([
    "FRIEND  RUNNING  IN     OUT        RATE     MAIL OUT          SINCE THE START",
    "alice   12       0 B/s  10.0 MB/s  10 MB/s  2 (31 this hour)  950 B in, 1.2 GB out",
    "dave    0        0 B/s  0 B/s      -        -                 0 B in, 12 kB out",
  ])
})
