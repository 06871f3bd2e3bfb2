import { expect, test } from "@jest/globals"
import { reset } from "../../../src/net/reset.ts"
import { backend } from "../../support/backend.ts"
import { visitor } from "../../support/visitor.ts"

/** More than all buffers on the way hold. */
const MUCH_BYTES = 64 * 1024 * 1024

test("a reset does not wait for a reader who has stopped, even behind an end", async () => {
  const home = await backend((peer) => peer.finish(Buffer.alloc(MUCH_BYTES)))
  const alice = await visitor(home.at)
  alice.socket.pause()
  const { socket } = await home.accepted()
  expect(socket.writableLength).toBeGreaterThan(0)
  reset(socket)
  alice.socket.resume()
  await alice.isClosed()
  expect(alice.error).toBe("ECONNRESET")
  await home.close()
})
