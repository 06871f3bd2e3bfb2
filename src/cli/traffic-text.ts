/** What passes for each friend, in columns. */
import type { FriendTraffic } from "../relay/traffic.ts"
import { textTable } from "./text-table.ts"

export function trafficText(friends: readonly FriendTraffic[], widthChars: number): string {
  const rows = friends.map((traffic) => [
    traffic.friend,
    String(traffic.connections),
    rateText(traffic.bytesPerSecondToBackend),
    rateText(traffic.bytesPerSecondToVisitor),
    traffic.bytesPerSecondMax === undefined ? "-" : rateText(traffic.bytesPerSecondMax),
    traffic.outgoing ? `${traffic.outgoing.running} (${traffic.outgoing.lastHour} this hour)` : "-",
    `${bytesText(traffic.bytesToBackend)} in, ${bytesText(traffic.bytesToVisitor)} out`,
  ])
  return textTable([["FRIEND", "RUNNING", "IN", "OUT", "RATE", "MAIL OUT", "SINCE THE START"], ...rows], widthChars)
}

function rateText(bytesPerSecond: number): string {
  return `${bytesText(bytesPerSecond)}/s`
}

const UNITS = [
  ["TB", 1e12],
  ["GB", 1e9],
  ["MB", 1e6],
  ["kB", 1e3],
] as const

function bytesText(bytes: number): string {
  const [unit, unitBytes] = UNITS.find(([, one]) => bytes >= one) ?? ["B", 1]
  const digits = unitBytes > 1 && bytes < 10 * unitBytes ? 1 : 0
  return `${(bytes / unitBytes).toFixed(digits)} ${unit}`
}
