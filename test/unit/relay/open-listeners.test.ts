import { beforeEach, describe, expect, test } from "@jest/globals"
import { fault, FaultError } from "../../../src/faults/faults.ts"
import type { Listener } from "../../../src/config/config.ts"
import { endpointText, socketAddress, type SocketAddress } from "../../../src/names/endpoint.ts"
import type { Engine, OpenListener } from "../../../src/net/engine.ts"
import type { Protocol } from "../../../src/route/route.ts"
import { OpenListeners } from "../../../src/relay/open-listeners.ts"

/** An engine that has a kernel's opinion on addresses and nothing else. */
class AddressBook implements Pick<Engine, "listen"> {
  readonly open = new Map<string, string>()
  readonly log: string[] = []
  forbidden = ""

  async listen({ name, bind }: { name: string; bind: SocketAddress }): Promise<OpenListener> {
    const text = endpointText(bind)
    if (this.open.has(text) || text === this.forbidden) throw new FaultError(fault("BIND_REFUSED", `${text} is taken`))
    this.open.set(text, name)
    this.log.push(`open ${name} ${text}`)
    const stop = async (): Promise<void> => {
      this.open.delete(text)
      this.log.push(`stop ${name} ${text}`)
    }
    return { bound: bind, descriptors: [], stop, drained: async () => {} }
  }
}

let engine: AddressBook
let listeners: OpenListeners

beforeEach(() => {
  engine = new AddressBook()
  listeners = new OpenListeners({
    engine,
    ask: () => "accept",
    decideFor: () => () => ({ do: "reset", why: "test" }),
    ended: () => {},
    decideDeadlineMs: () => 1000,
  })
})

describe("listeners", () => {
  test("open before others close, and what stays is not touched", async () => {
    await listeners.change([listener("smtp", "smtp", "127.0.0.1:25"), listener("http", "http", "127.0.0.1:80")])
    engine.log.length = 0
    await listeners.change([listener("smtp", "smtp", "127.0.0.1:25"), listener("https", "tls", "127.0.0.1:443")])
    expect(engine.log).toEqual(["open https 127.0.0.1:443", "stop http 127.0.0.1:80"])
  })

  test("stay as they were when one of the new ones cannot be opened", async () => {
    await listeners.change([listener("smtp", "smtp", "127.0.0.1:25")])
    engine.forbidden = "127.0.0.2:443"
    const wanted = listener("https", "tls", "127.0.0.1:443", "127.0.0.2:443")
    await expect(listeners.change([wanted])).rejects.toMatchObject({ fault: { code: "BIND_REFUSED" } })
    expect([...engine.open]).toEqual([["127.0.0.1:25", "smtp"]])
    expect(listeners.bound.map(({ listener: name }) => name)).toEqual(["smtp"])
  })

  test("make way for another one on the same address, and come back if that fails", async () => {
    await listeners.change([listener("old", "smtp", "127.0.0.1:25")])
    await listeners.change([listener("new", "smtp", "127.0.0.1:25")])
    expect([...engine.open]).toEqual([["127.0.0.1:25", "new"]])

    engine.forbidden = "127.0.0.1:26"
    await expect(listeners.change([listener("newer", "smtp", "127.0.0.1:25", "127.0.0.1:26")])).rejects.toThrow("taken")
    expect([...engine.open]).toEqual([["127.0.0.1:25", "new"]])
  })

  test("all stop", async () => {
    await listeners.change([listener("smtp", "smtp", "127.0.0.1:25", "[::1]:25")])
    await listeners.stop()
    expect(engine.open.size).toBe(0)
    expect(listeners.bound).toEqual([])
  })
})

function listener(name: string, protocol: Protocol, first: string, ...more: string[]): Listener {
  const bind = [at(first), ...more.map(at)] as const
  return { name, protocol, bind, acceptProxy: [], greetWaitMs: 0, odmr: false, friend: undefined, default: undefined }
}

function at(text: string): SocketAddress {
  const address = socketAddress(text)
  if (!address) throw new Error(`${text} is no address`)
  return address
}
