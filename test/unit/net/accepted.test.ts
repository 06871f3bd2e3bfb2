/** Holds in place the members of Node that src/net/accepted.ts uses and Node does not document. */
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Server } from "node:net"
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { takeAccepted, type Accepted } from "../../../src/net/accepted.ts"
import { eventually } from "../../support/eventually.ts"
import { Peer } from "../../support/peer.ts"

describe.each([{ bareHandles: true }, { bareHandles: false }])(
  "accepted connections, $bareHandles",
  ({ bareHandles }) => {
    let server: Server
    let accepted: Accepted[]
    let ordinaryConnections: number
    let alice: Peer

    beforeEach(async () => {
      accepted = []
      ordinaryConnections = 0
      server = createServer({ allowHalfOpen: true }, () => void (ordinaryConnections += 1)).listen(0, "127.0.0.1")
      await once(server, "listening")
      const failed = (code: string): never => {
        throw new Error(code)
      }
      takeAccepted(server, { accept: (each) => void accepted.push(each), failed, bareHandles })
      const { port } = server.address() as AddressInfo // it listens on TCP
      alice = new Peer(connect({ port, host: "127.0.0.1", allowHalfOpen: true }))
    })

    afterEach(async () => {
      alice.socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    })

    const first = (): Promise<Accepted> => eventually("a connection", () => accepted[0])

    test(`Node ${process.versions.node} hands over ${bareHandles ? "the bare handle" : "a socket"}`, async () => {
      const { ends } = await first()
      expect(ends?.remote.port).toBe(alice.socket.localPort)
      expect(ends?.local.port).toBe(alice.socket.remotePort)
      expect(ordinaryConnections).toBe(bareHandles ? 0 : 1)
      ;(await first()).ordinary(new Uint8Array(0)).destroy()
    })

    test("reading fills the given buffer, stops at false and goes on when resumed", async () => {
      const buffer = Buffer.alloc(4)
      const read: string[] = []
      const callback = (count: number, bytes: Uint8Array): boolean => {
        read.push(Buffer.from(bytes.subarray(0, count)).toString())
        return false
      }
      const socket = (await first()).reading({ buffer: () => buffer, callback })
      alice.say("abcdefgh")
      socket.resume()
      await eventually("the first read", () => read.length > 0)
      if (bareHandles) expect(read).toEqual(["abcd"])
      socket.resume()
      await eventually("all of it", () => read.join("") === "abcdefgh")
      socket.destroy()
    })

    test("after reading, an ordinary socket continues with the bytes given back", async () => {
      const each = await first()
      const read: Buffer[] = []
      const callback = (count: number, bytes: Uint8Array): boolean => {
        read.push(Buffer.from(bytes.subarray(0, count)))
        return false
      }
      each.reading({ buffer: () => Buffer.alloc(16), callback }).resume()
      alice.say("begin ")
      await eventually("a read", () => read.length > 0)
      const socket = each.ordinary(Buffer.concat(read))
      expect([socket.remotePort, socket.localPort]).toEqual([alice.socket.localPort, alice.socket.remotePort])
      const peer = new Peer(socket)
      alice.finish("end")
      await peer.hearsEnd()
      expect(peer.heardText).toBe("begin end")
      peer.finish("answer")
      await alice.hearsEnd()
      expect(alice.heardText).toBe("answer")
    })
  },
)
