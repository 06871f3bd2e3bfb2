import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer, type AddressInfo, type Server } from "node:net"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { examineAddresses } from "../../../../src/cli/doctor/addresses.ts"
import { examineClock } from "../../../../src/cli/doctor/clock.ts"
import { examinePorts } from "../../../../src/cli/doctor/ports.ts"
import { examineResolver } from "../../../../src/cli/doctor/resolver.ts"
import { examineDescriptors, examineNode } from "../../../../src/cli/doctor/runtime.ts"
import { examineStateFolder } from "../../../../src/cli/doctor/state-folder.ts"
import { socketAddress, type SocketAddress } from "../../../../src/names/endpoint.ts"
import { javascriptEngine } from "../../../../src/net/engine-js.ts"
import { silentLog } from "../../../../src/log/log.ts"
import type { Resolved } from "../../../../src/dns/resolver.ts"

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "waypost-doctor-"))
})

afterAll(() => rm(folder, { recursive: true }))

describe("the doctor, about Node", () => {
  test("is content with 24 and fails what is older", () => {
    expect(examineNode("24.0.0")).toMatchObject({ state: "ok", found: "24.0.0" })
    expect(examineNode("22.12.0")).toMatchObject({ state: "fail", remedy: "install Node.js 24 or newer" })
  })
})

describe("the doctor, about open files", () => {
  test.each([
    ["Max open files            1024                 524288               files", "warn"],
    ["Max open files            524288               524288               files", "ok"],
    ["Max open files            unlimited            unlimited            files", "ok"],
    ["nothing about files", "ok"],
  ])("reads %j", async (line, state) => {
    const file = join(folder, "limits")
    await writeFile(file, `Limit  Soft Limit  Hard Limit  Units\n${line}\n`)
    expect(await examineDescriptors(file)).toMatchObject({ state })
  })

  test("says what few of them mean", async () => {
    const file = join(folder, "limits")
    await writeFile(file, "Max open files  1100  1100  files\n")
    expect((await examineDescriptors(file)).found).toBe("1100 allowed: about 50 connections at once")
  })
})

describe("the doctor, about addresses", () => {
  test("tells public from private ones, by family", () => {
    expect(examineAddresses(["127.0.0.1", "10.0.0.5", "::1", "fe80::1", "2001:4860::a"])).toMatchObject([
      { what: "IPv4", state: "warn", found: "private only: 10.0.0.5" },
      { what: "IPv6", state: "ok", found: "public: 2001:4860::a" },
    ])
    expect(examineAddresses(["127.0.0.1"])).toMatchObject([{ found: "none" }, { found: "none" }])
  })
})

describe("the doctor, about the clock", () => {
  const now = Date.parse("2026-11-21T00:00:00Z")

  test("fails one that is behind files of the program", async () => {
    const file = join(folder, "file")
    await writeFile(file, "")
    expect(examineClock(0, [file], [])).toMatchObject({ state: "fail", remedy: "set the clock" })
  })

  test("asks for a time service where there is none", () => {
    expect(examineClock(now, [], [folder])).toMatchObject({ state: "ok" })
    expect(examineClock(now, [], [join(folder, "none")])).toMatchObject({ state: "warn" })
  })
})

describe("the doctor, about the resolver", () => {
  test.each<[string, Resolved]>([
    ["ok", { kind: "records", records: [], secure: true }],
    ["warn", { kind: "records", records: [], secure: false }],
    ["warn", { kind: "failed", because: "silence" }],
    ["warn", { kind: "failed", because: "SERVFAIL", rcode: 2 }],
  ])("says %s for %j", async (state, resolved) => {
    const servers = [at("192.0.2.53:53")]
    const finding = await examineResolver({ servers, disbelieved: false, resolve: async () => resolved })
    expect(finding).toMatchObject({ state, found: expect.stringMatching(/^192\.0\.2\.53/) })
  })
})

describe("the doctor, about ports", () => {
  const engine = javascriptEngine({ log: silentLog })
  let taken: Server

  beforeAll(async () => {
    taken = createServer().listen(0, "127.0.0.1")
    await once(taken, "listening")
  })

  afterAll(async () => {
    taken.close()
    await engine.close()
  })

  test("tries them, and says what is in the way and what to do", async () => {
    const { port } = taken.address() as AddressInfo
    const places = [at("127.0.0.1:0"), at(`127.0.0.1:${port}`)]
    expect(await examinePorts(engine, places, false)).toMatchObject([
      { state: "ok" },
      { state: "warn", found: "cannot be listened on: EADDRINUSE", remedy: expect.stringMatching(/another program/) },
    ])
    expect(await examinePorts(engine, places, true)).toMatchObject([{ state: "ok" }, { state: "fail" }])
  })
})

describe("the doctor, about the state folder", () => {
  test("makes it and leaves nothing in it", async () => {
    expect(await examineStateFolder(join(folder, "state"))).toMatchObject({ state: "ok" })
  })

  test("fails where a file is in the way", async () => {
    const file = join(folder, "file-in-the-way")
    await writeFile(file, "")
    await chmod(file, 0o600)
    expect(await examineStateFolder(join(file, "state"))).toMatchObject({ state: "fail" })
  })
})

function at(text: string): SocketAddress {
  const address = socketAddress(text)
  if (!address) throw new Error(`${text} is no address`)
  return address
}
