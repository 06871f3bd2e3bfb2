/** Payloads that make two servers disagree on where a request ends. None may reach a friend's server as two requests. */
import { describe, expect, test } from "@jest/globals"
import { createProxyServer } from "http-proxy"
import { Agent, createServer } from "node:http"
import { connect } from "node:net"
import { backend, door, listen, rawBackend, say, until } from "../../support/web.ts"

const HOST = "Host: dave.example\r\n"
const HIDDEN = "GET /hidden HTTP/1.1\r\nHost: dave.example\r\n\r\n"
const LENGTH = `Content-Length: ${HIDDEN.length + 5}\r\n`

describe("DELETE with chunked content", () => {
  const attack = `DELETE / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`

  test("would be two requests through http-proxy as it comes", async () => {
    const seen: (string | undefined)[] = []
    await using dave = await backend((asked, response) => {
      seen.push(asked.url)
      response.end()
    })
    const agent = new Agent({ keepAlive: true })
    const proxy = createProxyServer({ target: { host: "127.0.0.1", port: dave.port }, agent }).on(
      "error",
      () => undefined,
    )
    const server = createServer((request, response) => proxy.web(request, response))
    await say(await listen(server), attack, () => seen.length === 2)
    server.close()
    agent.destroy()
    expect(seen).toEqual(["/", "/hidden"])
  })

  test("is one request through ours, with the other as its content", async () => {
    const seen: (string | undefined)[] = []
    await using dave = await backend((asked, response) => {
      seen.push(asked.url)
      asked.setEncoding("latin1").on("data", (piece: string) => seen.push(piece))
      asked.on("end", () => response.end())
    })
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    expect(await say(bob.port, attack, (heard) => heard.includes("\r\n\r\n"))).toMatch(/^HTTP\/1\.1 200 /)
    expect(seen).toEqual(["/", HIDDEN])
  })
})

describe("a request that can be read in two ways reaches nobody", () => {
  const chunkedThenHidden = `0\r\n\r\n${HIDDEN}`
  test.each([
    ["both lengths", `${LENGTH}Transfer-Encoding: chunked\r\n`],
    ["both lengths, the other way round", `Transfer-Encoding: chunked\r\n${LENGTH}`],
    ["two different lengths", `${LENGTH}Content-Length: 0\r\n`],
    ["a list of lengths", `Content-Length: ${HIDDEN.length + 5}, 0\r\n`],
    ["a signed length", `Content-Length: +${HIDDEN.length + 5}\r\n`],
    ["a length in hexadecimal", "Content-Length: 0x05\r\n"],
    ["an empty length", "Content-Length: \r\n"],
    ["a space before the colon", "Transfer-Encoding : chunked\r\n"],
    ["a folded field", "X: 1\r\n Transfer-Encoding: chunked\r\n"],
    ["a first field with a space before it", " Transfer-Encoding: chunked\r\n"],
    ["chunked that is not the last coding", "Transfer-Encoding: chunked, identity\r\n"],
    ["chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"],
    ["chunked in quotation marks", 'Transfer-Encoding: "chunked"\r\n'],
    ["chunked after a vertical tab", "Transfer-Encoding: \x0bchunked\r\n"],
    ["chunked after a no-break space", "Transfer-Encoding: \xa0chunked\xa0\r\n"],
    ["xchunked", "Transfer-Encoding: xchunked\r\n"],
    ["a NUL in a field", "X: a\0b\r\n"],
    ["a bare CR in a field", "X: a\rTransfer-Encoding: chunked\r\n"],
    ["bare LF line ends", "X: a\nTransfer-Encoding: chunked\n"],
    ["Connection naming the length", `${LENGTH}Connection: Content-Length\r\n`],
    ["Connection naming the coding", "Transfer-Encoding: chunked\r\nConnection: close, Transfer-Encoding\r\n"],
    ["Connection naming Host", "Connection: Host\r\n"],
  ])("%s", async (_, fields) => {
    await using dave = await rawBackend((socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const heard = await say(bob.port, `POST / HTTP/1.1\r\n${HOST}${fields}\r\n${chunkedThenHidden}`)
    expect(heard).toMatch(/^HTTP\/1\.1 (400|501) /)
    expect(heard.match(/HTTP\/1\.1 /g)).toHaveLength(1)
    expect(dave.accepted()).toBe(0)
  })

  test("chunked in HTTP/1.0", async () => {
    await using dave = await rawBackend(() => undefined)
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const heard = await say(
      bob.port,
      `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${chunkedThenHidden}`,
    )
    expect(heard).toMatch(/^HTTP\/1\.1 400 /)
    expect(dave.accepted()).toBe(0)
  })

  test.each([
    ["a tab in the target", "GET /a\tb HTTP/1.1\r\n"],
    ["a raw byte above ASCII in the target", "GET /\xff HTTP/1.1\r\n"],
    ["a fragment in the target", "GET /a#b HTTP/1.1\r\n"],
    ["a space in the target", "GET /a b HTTP/1.1\r\n"],
    ["no version", "GET /\r\n"],
    ["version 1.2", "GET / HTTP/1.2\r\n"],
    ["a method in lower case", "get / HTTP/1.1\r\n"],
    ["a first line ended by CR alone", "GET / HTTP/1.1\r"],
    ["an HTTP/2 preface", "PRI * HTTP/2.0\r\n"],
  ])("%s", async (_, line) => {
    await using dave = await rawBackend(() => undefined)
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    expect(await say(bob.port, `${line}${HOST}\r\n`)).toMatch(/^HTTP\/1\.1 (400|405|505) /)
    expect(dave.accepted()).toBe(0)
  })

  test.each([
    ["a chunk size that is too long to count", "fffffffffffffffff\r\n"],
    ["a negative chunk size", "-1\r\n"],
    ["a chunk without its line end", "1\r\nab\r\n0\r\n\r\n"],
    ["a chunk size ended by LF alone", "1\na\r\n0\r\n\r\n"],
    ["a chunk size with a prefix", "0x1\r\na\r\n0\r\n\r\n"],
    ["a chunk extension with a bare LF", "1;a\nb\r\na\r\n0\r\n\r\n"],
  ])(
    "%s is answered 400, and the connection to the friend's server is cut before the end of the content",
    async (_, content) => {
      await using dave = await rawBackend(() => undefined)
      await using bob = await door({ hosts: { "dave.example": dave.port } })
      const heard = await say(
        bob.port,
        `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${content}${HIDDEN}`,
      )
      expect(heard).toMatch(/^HTTP\/1\.1 400 [^]*\r\nConnection: close\r\n/)
      expect(heard.match(/HTTP\/1\.1 /g)).toHaveLength(1)
      await until(() => dave.open() === 0)
      expect(dave.heard()).not.toContain("hidden")
      expect(dave.heard()).not.toMatch(/\r\n0\r\n\r\n$/)
    },
  )
})

test("content that cannot be read behind an answer that has begun is cut, for a second answer would be a lie", async () => {
  await using dave = await rawBackend((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"))
  await using bob = await door({ hosts: { "dave.example": dave.port } })
  const begun = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n`
  const socket = connect(bob.port, "127.0.0.1")
  let heard = ""
  socket.on("data", (piece: Buffer) => (heard += piece.toString())).on("error", () => {})
  socket.write(begun)
  await until(() => heard.includes("ab"))
  socket.write("nonsense\r\n")
  await until(() => socket.destroyed)
  expect(heard.match(/HTTP\/1\.1 /g)).toHaveLength(1)
})

test("a request that cannot be read is not answered in the place of one that waits for its answer", async () => {
  await using dave = await rawBackend(() => undefined)
  await using bob = await door({ hosts: { "dave.example": dave.port } })
  const heard = await say(bob.port, `GET / HTTP/1.1\r\n${HOST}\r\nnonsense\r\n\r\n`)
  expect(heard).toBe("")
})

test("a coding behind more fields than Node counts still frames the content", async () => {
  const seen: (string | undefined)[] = []
  await using dave = await backend((asked, response) => {
    seen.push(asked.url)
    asked.resume().on("end", () => response.end())
  })
  await using bob = await door({ hosts: { "dave.example": dave.port } })
  const many = "a:\r\n".repeat(2_500)
  const chunk = `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`
  await say(bob.port, `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n${many}Transfer-Encoding: chunked\r\n\r\n${chunk}`)
  expect(seen).toEqual(["/"])
})

test("fields with the names of an object's own members are only fields", async () => {
  await using dave = await backend((asked, response) => response.end(asked.rawHeaders.join(" ")))
  await using bob = await door({ hosts: { "dave.example": dave.port } })
  const odd = "__proto__: 1\r\nconstructor: 2\r\ntoString: 3\r\nhasOwnProperty: 4\r\n"
  expect(await say(bob.port, `GET / HTTP/1.1\r\n${HOST}${odd}Connection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /)
})
