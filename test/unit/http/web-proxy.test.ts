import { describe, expect, test } from "@jest/globals"
import { once } from "node:events"
import { request } from "node:http"
import { connect } from "node:net"
import { connect as connectTls, createSecureContext } from "node:tls"
import { keyPair } from "../../support/key-pair.ts"
import { backend, door, hear, rawBackend, say, until } from "../../support/web.ts"

const GET = "GET /a HTTP/1.1\r\nHost: dave.example\r\nConnection: close\r\n\r\n"

describe("a request", () => {
  test.each([[true], [false]])(
    "reaches the friend whose host it asks for (first bytes peeked at: %s)",
    async (peeks) => {
      await using dave = await backend((_, response) => response.end("dave's"))
      await using erin = await backend((_, response) => response.end("erin's"))
      await using bob = await door({ hosts: { "dave.example": dave.port, "erin.example": erin.port }, peeks })
      expect(await say(bob.port, GET)).toContain("dave's")
      expect(await say(bob.port, GET.replace("dave.", "ERIN.").replace("example\r", "example.:80\r"))).toContain(
        "erin's",
      )
    },
  )

  test("arrives with what we know of the visitor, and nothing of what the visitor says of itself", async () => {
    await using dave = await backend((asked, response) => response.end(JSON.stringify(asked.headers)))
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const heard = await say(
      bob.port,
      "GET / HTTP/1.1\r\nHost: dave.example:8080\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_Proto: https\r\nForwarded: for=6.6.6.6\r\n" +
        "X-Real-IP: 6.6.6.6\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy: evil\r\nVia: 1.0 home\r\nAccept: text/html\r\n\r\n",
    )
    expect(JSON.parse(heard.slice(heard.indexOf("{"), heard.lastIndexOf("}") + 1))).toEqual({
      accept: "text/html",
      connection: "keep-alive",
      host: "dave.example:8080",
      via: "1.0 home, 1.1 relay.bob.example",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-host": "dave.example:8080",
      "x-forwarded-proto": "http",
    })
  })

  test("keeps its target byte for byte, and loses the scheme and host of an absolute one", async () => {
    await using dave = await backend((asked, response) => response.end(`<${asked.url}> for ${asked.headers.host}`))
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const ask = async (target: string, host = "dave.example"): Promise<string | undefined> => {
      const heard = await say(bob.port, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      return /<.*> for \S+/.exec(heard)?.[0]
    }
    const same = ["/", "/?", "/a//b/../c/./d?x=1?y=2&&", "//double", "/%2e%2E/%00", '/q?"quoted"|[x]']
    for (const target of same) expect(await ask(target)).toBe(`<${target}> for dave.example`)
    expect(await ask("http://dave.example/a/../b?c", "other.example")).toBe("</a/../b?c> for dave.example")
    expect(await ask("http://dave.example?c")).toBe("</?c> for dave.example")
  })

  test("passes its content, framed as it came, whatever its method", async () => {
    await using dave = await backend((asked, response) => {
      const { "content-length": length, "transfer-encoding": coding } = asked.headers
      asked.setEncoding("latin1").on("data", (piece: string) => response.write(piece))
      asked.on("end", () => response.end(` ${asked.method} ${length} ${coding}`))
    })
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const ask = (head: string, body: string): Promise<string> =>
      say(bob.port, `${head}\r\nHost: dave.example\r\nConnection: close\r\n\r\n${body}`)
    for (const method of ["POST", "GET", "DELETE", "OPTIONS", "PATCH"]) {
      const chunked = await ask(`${method} / HTTP/1.1\r\nTransfer-Encoding: Chunked`, "5\r\nhello\r\n0\r\n\r\n")
      expect(chunked).toContain(` ${method} undefined chunked`)
      expect(await ask(`${method} / HTTP/1.1\r\nContent-Length: 5`, "hello")).toContain(` ${method} 5 undefined`)
    }
    expect(await ask("POST / HTTP/1.1", "")).toContain(" POST 0 undefined")
  })

  test("waits for the friend's 100 before its content is asked for", async () => {
    await using dave = await backend((asked, response) => asked.resume().on("end", () => response.end("thanks")))
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const socket = connect({ port: bob.port, host: "127.0.0.1" })
    socket.write("PUT / HTTP/1.1\r\nHost: dave.example\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    const [first] = (await once(socket, "data")) as [Buffer]
    expect(first.toString()).toBe("HTTP/1.1 100 Continue\r\n\r\n")
    socket.write("hi")
    expect(await hear(socket, (heard) => heard.includes("thanks"))).toMatch(/^HTTP\/1\.1 200 OK/)
  })

  test("is refused by the friend before its content was sent", async () => {
    await using dave = await rawBackend((socket) =>
      socket.once("data", () => socket.end("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")),
    )
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const put = "PUT / HTTP/1.1\r\nHost: dave.example\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    expect(await say(bob.port, put, (heard) => heard.includes("\r\n\r\n"))).toMatch(/^HTTP\/1\.1 413 No/)
    expect(dave.heard()).toContain("expect: 100-continue")
  })
})

describe("an answer", () => {
  test("passes with its fields, repeated ones too, but without those of its own connection", async () => {
    await using dave = await rawBackend((socket) =>
      socket.once("data", () =>
        socket.end(
          "HTTP/1.1 207 Many Things\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: X-Inner, close\r\nX-Inner: 1\r\nKeep-Alive: 9\r\n" +
            "Trailer: X-Sum\r\nProxy-Authenticate: Basic\r\nDate: never\r\nContent-Length: 2\r\n\r\nok",
        ),
      ),
    )
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    expect((await say(bob.port, GET)).split("\r\n")).toEqual([
      "HTTP/1.1 207 Many Things",
      "set-cookie: a=1",
      "set-cookie: b=2",
      "date: never",
      "content-length: 2",
      "via: 1.1 relay.bob.example",
      "connection: close",
      "",
      "ok",
    ])
  })

  test("keeps its trailer fields, and early hints go ahead of it", async () => {
    await using dave = await rawBackend((socket) =>
      socket.once("data", () =>
        socket.end(
          "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" +
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nSet-Cookie: a=1\r\n\r\n",
        ),
      ),
    )
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const heard = await say(bob.port, GET)
    expect(heard).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK/)
    expect(heard).toMatch(/2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n$/)
  })

  test("that is cut short is cut short for the visitor as well", async () => {
    await using dave = await rawBackend((socket) =>
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", () => socket.destroy())
      }),
    )
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const [answer] = (await once(request({ port: bob.port, headers: { host: "dave.example" } }).end(), "response")) as [
      NodeJS.ReadableStream,
    ]
    await expect(once(answer.resume(), "end")).rejects.toThrow("aborted")
  })

  test("to a visitor of HTTP/1.0 is not chunked, and ends the connection", async () => {
    await using dave = await backend((_, response) => {
      response.write("in ")
      response.end("pieces")
    })
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const heard = await say(bob.port, "GET / HTTP/1.0\r\nHost: dave.example\r\nConnection: keep-alive\r\n\r\n")
    expect(heard).toMatch(/connection: close\r\n\r\nin pieces$/)
    expect(heard).not.toMatch(/transfer-encoding/i)
  })

  test.each([
    ["a status below 100", "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n"],
    [
      "a switch of protocols nobody asked for",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
    [
      "two ways to say where it ends",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["a length in its trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\n\r\n"],
    ["no HTTP at all", "220 mx ESMTP\r\n"],
    ["nothing", ""],
  ])("with %s becomes 502", async (_, bytes) => {
    await using dave = await rawBackend((socket) => socket.once("data", () => socket.end(bytes)))
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const heard = await say(bob.port, GET)
    expect(heard).toMatch(/^HTTP\/1\.1 502 /)
    expect(heard).toContain("BACKEND_FAULTY")
  })

  test("with control characters in its reason passes without the reason", async () => {
    await using dave = await rawBackend((socket) =>
      socket.once("data", () => socket.end("HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok")),
    )
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    expect(await say(bob.port, GET)).toMatch(/^HTTP\/1\.1 (200|502) [\x20-\x7e]+\r\n/)
  })
})

describe("the relay answers itself", () => {
  test.each([
    ["421 for a host that nobody here has", "GET / HTTP/1.1\r\nHost: mallory.example\r\n", 421],
    ["421 for a bare address", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", 421],
    ["421 for the wrong scheme", "GET https://dave.example/ HTTP/1.1\r\nHost: dave.example\r\n", 421],
    ["400 without Host", "GET / HTTP/1.1\r\n", 400],
    ["400 without Host in HTTP/1.0", "GET / HTTP/1.0\r\n", 400],
    ["400 for two Hosts", "GET / HTTP/1.1\r\nHost: dave.example\r\nHost: dave.example\r\n", 400],
    ["400 for a Host that is none", "GET / HTTP/1.1\r\nHost: dave.example/\r\n", 400],
    ["400 for user information in Host", "GET / HTTP/1.1\r\nHost: a@dave.example\r\n", 400],
    ["400 for a target in no known form", "GET dave HTTP/1.1\r\nHost: dave.example\r\n", 400],
    ["405 for TRACE", "TRACE / HTTP/1.1\r\nHost: dave.example\r\n", 405],
    ["405 for CONNECT", "CONNECT dave.example:80 HTTP/1.1\r\nHost: dave.example\r\n", 405],
    ["505 for HTTP/2.0 in a request line", "GET / HTTP/2.0\r\nHost: dave.example\r\n", 505],
    [
      "501 for another transfer coding",
      "POST / HTTP/1.1\r\nHost: dave.example\r\nTransfer-Encoding: gzip, chunked\r\n",
      501,
    ],
    ["431 for 40 kB of fields", `GET / HTTP/1.1\r\nHost: dave.example\r\nX: ${"x".repeat(40_000)}\r\n`, 431],
    ["508 for its own name in Via", "GET / HTTP/1.1\r\nHost: dave.example\r\nVia: 1.1 relay.bob.example\r\n", 508],
    ["204 to OPTIONS about itself", "OPTIONS * HTTP/1.1\r\nHost: dave.example\r\n", 204],
  ])("%s", async (_, head, status) => {
    await using dave = await rawBackend(() => undefined)
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const heard = await say(bob.port, `${head}Connection: close\r\n\r\n`)
    expect(heard).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(dave.heard()).toBe("")
  })

  test("502 when the friend's server is down, and says no more to a stranger", async () => {
    await using bob = await door({ hosts: { "dave.example": 1 } })
    const heard = await say(bob.port, GET)
    expect(heard).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/)
    expect(heard).toContain("The next host refuses connections (BACKEND_REFUSES).")
    expect(heard).not.toContain("ECONNREFUSED")
    expect(bob.logged[0]?.fields).toMatchObject({ route: "dave/http", code: "BACKEND_REFUSES" })
  })

  test("504 when the friend's server is silent", async () => {
    await using dave = await rawBackend(() => undefined)
    await using bob = await door({ hosts: { "dave.example": dave.port }, limits: { silenceDeadlineMs: 100 } })
    expect(await say(bob.port, GET)).toMatch(/^HTTP\/1\.1 504 /)
    await until(() => dave.open() === 0)
  })

  test("408 when a header section does not end", async () => {
    await using bob = await door({ hosts: {}, limits: { headerDeadlineMs: 100 } })
    expect(await say(bob.port, "GET / HTTP/1.1\r\nHost: d")).toMatch(/^HTTP\/1\.1 408 /)
  })

  test("408 when content stops coming", async () => {
    await using dave = await rawBackend(() => undefined)
    await using bob = await door({ hosts: { "dave.example": dave.port }, limits: { silenceDeadlineMs: 100 } })
    const heard = await say(bob.port, "POST / HTTP/1.1\r\nHost: dave.example\r\nContent-Length: 9\r\n\r\nhalf")
    expect(heard).toMatch(/^HTTP\/1\.1 408 /)
    await until(() => dave.open() === 0)
  })
})

describe("connections", () => {
  test("of 40 visitors who leave while the friend's server hangs leave none of its own behind", async () => {
    await using dave = await rawBackend(() => undefined)
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const visitors = Array.from({ length: 40 }, () => connect({ port: bob.port, host: "127.0.0.1" }))
    for (const visitor of visitors) visitor.write(GET)
    await until(() => dave.heard().split("GET /a").length === 41)
    expect(dave.open()).toBe(40)
    for (const visitor of visitors) visitor.destroy()
    await until(() => dave.open() === 0)
  })

  test("to a friend's server are used again, for that friend only", async () => {
    await using dave = await backend((_, response) => response.end("dave's"))
    await using bob = await door({ hosts: { "dave.example": dave.port, "erin.example": dave.port } })
    for (let asked = 0; asked < 3; asked++) await say(bob.port, GET)
    expect(dave.accepted()).toBe(1)
    await say(bob.port, GET.replace("dave", "erin"))
    expect(dave.accepted()).toBe(2)
  })

  test("that the friend's server closes as they are used again cost no request", async () => {
    await using dave = await rawBackend((socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        socket.once("data", () => socket.resetAndDestroy())
      })
    })
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    for (let asked = 0; asked < 4; asked++) expect(await say(bob.port, GET)).toMatch(/^HTTP\/1\.1 200 /)
    expect(dave.accepted()).toBe(4)
  })

  test("carry requests that were sent ahead one after the other, and answer in order", async () => {
    let atOnce = 0
    let atOnceMax = 0
    await using dave = await backend((asked, response) => {
      atOnceMax = Math.max(atOnceMax, ++atOnce)
      setTimeout(() => response.end(asked.url), 2).unref()
      response.once("close", () => (atOnce -= 1))
    })
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const ahead = Array.from({ length: 20 }, (_, n) => `GET /${n}; HTTP/1.1\r\nHost: dave.example\r\n\r\n`).join("")
    const heard = await say(bob.port, ahead, (so) => so.includes("/19;"))
    expect(heard.match(/\/\d+;/g)).toEqual(Array.from({ length: 20 }, (_, n) => `/${n};`))
    expect(atOnceMax).toBe(1)
  })

  test("that send far too many requests ahead are cut", async () => {
    await using dave = await rawBackend(() => undefined)
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    await say(bob.port, GET.replace("Connection: close\r\n", "").repeat(500))
    await until(() => dave.open() === 0)
    expect(dave.accepted()).toBeLessThanOrEqual(1)
  })

  test.each([[true], [false]])(
    "over TLS end at the relay, which says so (first bytes peeked at: %s)",
    async (peeks) => {
      const own = await keyPair("dave.example")
      await using dave = await backend((asked, response) => response.end(String(asked.headers["x-forwarded-proto"])))
      await using bob = await door({
        hosts: { "dave.example": dave.port },
        tls: { secureContext: createSecureContext(own) },
        peeks,
      })
      const socket = connectTls({
        port: bob.port,
        host: "127.0.0.1",
        servername: "dave.example",
        ca: own.cert,
        ALPNProtocols: ["http/1.1"],
      })
      socket.write(GET)
      expect(await hear(socket)).toMatch(/\r\n\r\n.*https/s)
      expect(await say(bob.port, GET)).not.toContain("HTTP/1.1 200") // no TLS, no page
    },
  )
})

describe("stopping", () => {
  test("lets a request under way end, and asks its visitor to leave", async () => {
    let answer: (() => void) | undefined
    await using dave = await backend((_, response) => (answer = () => void response.end("late but whole")))
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const heard = say(bob.port, GET.replace("close", "keep-alive"))
    await until(() => answer !== undefined)
    const stopped = bob.proxy.stop()
    answer?.()
    expect(await heard).toMatch(/connection: close\r\n.*late but whole/s)
    await stopped
  })

  test("cuts what does not end", async () => {
    await using dave = await rawBackend(() => undefined)
    await using bob = await door({ hosts: { "dave.example": dave.port }, limits: { stopGraceMs: 50 } })
    const heard = say(bob.port, GET)
    await until(() => dave.open() === 1)
    await bob.proxy.stop()
    expect(await heard).toBe("")
    await until(() => dave.open() === 0)
  })
})
