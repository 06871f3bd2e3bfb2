/**
 * What we rely on inside smtp-server, one test for each member that session.ts and command-stream.ts override or use.
 * A new version of the library that breaks one of these breaks us, and is found here and not in the field.
 */
import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import { afterAll, beforeAll, expect, test } from "@jest/globals"
import { SMTPServer } from "smtp-server"
import { SMTPConnection } from "smtp-server/lib/smtp-connection.js"
import { SMTPStream } from "smtp-server/lib/smtp-stream.js"
import { keyPair } from "../../../support/key-pair.ts"
import { SmtpClient } from "../../../support/smtp-dialogue.ts"

const PINNED = "3.21.6"

/** The library as it is, writing down which of its members were called. */
class Probe extends SMTPConnection {
  /** Static, because the base constructor calls members before our fields exist. */
  static calls: string[] = []

  override init(): void {
    this._setListeners(() => this.connectionReady())
  }
  override _createParser(): SMTPStream {
    Probe.calls.push("_createParser")
    const stream = new ProbeStream()
    stream.oncommand = (command, done = () => {}) => this._onCommand(command, done)
    return stream
  }
  override _onCommand(command: Buffer, done: () => void): void {
    Probe.calls.push(`_onCommand ${command.toString()}`)
    super._onCommand(command, done)
  }
  override _getEnhancedStatusCode(code: number, context?: string | false): string {
    Probe.calls.push(`_getEnhancedStatusCode ${code} ${context}`)
    return context === "5.7.1" ? "5.7.1" : super._getEnhancedStatusCode(code, context)
  }
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    Probe.calls.push(`send ${code}`)
    super.send(code, data, context)
  }
  override _resetSession(): void {
    Probe.calls.push("_resetSession")
    super._resetSession()
  }
  override _onClose(): void {
    Probe.calls.push("_onClose")
    super._onClose()
  }
  override handler_MAIL(command: Buffer, done: () => void): void {
    Probe.calls.push(`handler_MAIL ${command.toString()}`)
    this.send(550, "no", "5.7.1")
    done()
  }
  override handler_RCPT(_command: Buffer, done: () => void): void {
    Probe.calls.push("handler_RCPT")
    done()
  }
  override handler_DATA(_command: Buffer, done: () => void): void {
    Probe.calls.push("handler_DATA")
    done()
  }
  /** Not in the library: that a method of this name makes a command is what we rely on. */
  handler_BDAT(_command: Buffer, done: () => void): void {
    this.send(250, `from ${this.hostNameAppearsAs} by ${this.openingCommand}`)
    done()
  }
}

class ProbeStream extends SMTPStream {
  override _write(chunk: Buffer, encoding: BufferEncoding | "buffer", next: (error?: Error | null) => void): void {
    Probe.calls.push("_write")
    super._write(chunk, encoding, next)
  }
}

const listener = createServer()
let library: SMTPServer
let last: Probe

beforeAll(async () => {
  library = new SMTPServer({
    ...(await keyPair("relay.bob.example")),
    disableReverseLookup: true,
    disabledCommands: ["AUTH"],
    hideENHANCEDSTATUSCODES: false,
    logger: false,
    onConnect: (_session, done) => done(),
  })
  listener.on("connection", (socket: Socket) => {
    last = new Probe(library, socket, { remoteAddress: "192.0.2.7", remotePort: 7, localAddress: "192.0.2.8" })
    last.on("error", () => {})
    last.init()
  })
  listener.listen(0, "127.0.0.1")
  await once(listener, "listening")
})

afterAll(() => void listener.close())

/** The calls that one line leads to, past the greeting. */
async function callsFor(...lines: readonly string[]): Promise<string[]> {
  using client = await SmtpClient.greeted((listener.address() as AddressInfo).port)
  Probe.calls = []
  for (const line of lines) await client.says(line)
  return Probe.calls
}

test(`the library is ${PINNED}, exactly, here and in package.json`, async () => {
  const ours: unknown = JSON.parse(await readFile("package.json", "utf8"))
  const theirs: unknown = JSON.parse(await readFile("node_modules/smtp-server/package.json", "utf8"))
  expect(ours).toMatchObject({ dependencies: { "smtp-server": PINNED } })
  expect(theirs).toMatchObject({ version: PINNED })
})

test("init: nothing happens before it, and _setListeners with connectionReady greet without the 100 ms", async () => {
  using client = await SmtpClient.connect((listener.address() as AddressInfo).port)
  expect(await client.says("NOOP")).toMatch(/^250 /)
  expect(SMTPConnection.prototype.init.toString()).toContain("setTimeout") // still the reason to replace it
})

test("_sendGreeting: connectionReady calls it, and without it nothing is said", async () => {
  class Silent extends Probe {
    override _sendGreeting(): void {}
  }
  const silent = createServer((socket) => new Silent(library, socket).init()).listen(0, "127.0.0.1")
  await once(silent, "listening")
  using client = new SmtpClient(connect((silent.address() as AddressInfo).port, "127.0.0.1"))
  expect(await client.says("NOOP")).toBe("250 2.0.0 OK")
  silent.close()
})

test("needsUpgrade: a session for which it is set begins with the handshake", async () => {
  class Upgrading extends Probe {
    override needsUpgrade = true
  }
  const upgrading = createServer((socket) => new Upgrading(library, socket).init()).listen(0, "127.0.0.1")
  await once(upgrading, "listening")
  using client = new SmtpClient(connect((upgrading.address() as AddressInfo).port, "127.0.0.1"))
  await client.beginTls()
  expect(await client.reply()).toMatch(/^220 /)
  upgrading.close()
})

test("constructor: the addresses given are the session's, not the socket's", async () => {
  using client = await SmtpClient.connect((listener.address() as AddressInfo).port)
  await client.says("NOOP")
  expect([last.remoteAddress, last.remotePort, last.localAddress]).toEqual(["192.0.2.7", 7, "192.0.2.8"])
})

test("_createParser: the base constructor calls it, and STARTTLS again, so that nothing from before survives", async () => {
  Probe.calls = []
  using client = await SmtpClient.greeted((listener.address() as AddressInfo).port)
  expect(Probe.calls.filter((call) => call === "_createParser")).toHaveLength(1)
  await client.startTls()
  expect(await client.says("EHLO again")).toMatch(/^250/)
  expect(Probe.calls.filter((call) => call === "_createParser")).toHaveLength(2)
})

test("upgrade: the parser from before is closed, and after it secure and the TLS socket are set", async () => {
  using client = await SmtpClient.greeted((listener.address() as AddressInfo).port)
  const before = last._parser
  await client.startTls()
  await client.says("EHLO again")
  expect(before).toMatchObject({ isClosed: true })
  expect(last.secure).toBe(true)
  expect(last._socket).toHaveProperty("getCipher")
})

test("_parser._write: everything that the socket receives goes through it", async () => {
  expect(await callsFor("NOOP")).toContain("_write")
})

test("_onCommand: every line that the parser reports goes through it, with a callback for the next", async () => {
  expect(await callsFor("NOOP", "NOOP")).toEqual(expect.arrayContaining(["_onCommand NOOP"]))
})

test("send: every reply goes through it, whatever made it", async () => {
  for (const [line, reply] of [
    ["NOOP", "send 250"],
    ["NONSENSE", "send 500"],
    ["VRFY x", "send 252"],
    ["RSET", "send 250"],
    ["QUIT", "send 221"],
  ] as const) {
    expect(await callsFor(line)).toContain(reply)
  }
})

test("send: the library's is silent once the client has finished sending, which is why we replace it", async () => {
  using client = await SmtpClient.greeted((listener.address() as AddressInfo).port)
  last._socket.allowHalfOpen = true
  client.finishes()
  while (last._socket.readyState === "open") await new Promise((resolve) => setTimeout(resolve, 5))
  last.send(250, "not heard")
  last._socket.end()
  expect(await client.repliesUntilClosed()).toEqual([])
})

test("_upgrading: it is set while the TLS handshake runs, when nothing may be written", async () => {
  using client = await SmtpClient.greeted((listener.address() as AddressInfo).port)
  expect(last._upgrading).toBe(false)
  expect(await client.says("STARTTLS")).toMatch(/^220 /)
  expect(last._upgrading).toBe(true)
})

test("_getEnhancedStatusCode: send asks it, and what it returns stands in the reply once", async () => {
  using client = await SmtpClient.greeted((listener.address() as AddressInfo).port)
  expect(await client.says("MAIL FROM:<a@b>")).toBe("550 5.7.1 no")
  expect(Probe.calls).toContain("_getEnhancedStatusCode 550 5.7.1")
})

test("_resetSession: EHLO, HELO, RSET and STARTTLS call it", async () => {
  for (const line of ["EHLO a", "HELO a", "RSET"]) expect(await callsFor(line)).toContain("_resetSession")
  using client = await SmtpClient.greeted((listener.address() as AddressInfo).port)
  Probe.calls = []
  await client.startTls()
  await client.says("NOOP")
  expect(Probe.calls).toContain("_resetSession")
})

test("_onClose: it is called when the client goes, with and without QUIT, before TLS and after", async () => {
  for (const [goes, tls] of [
    ["QUIT", false],
    ["", false],
    ["QUIT", true],
    ["", true],
  ] as const) {
    const client = await SmtpClient.greeted((listener.address() as AddressInfo).port)
    if (tls) await client.startTls()
    await client.says("EHLO a")
    Probe.calls = []
    if (goes) await client.says(goes)
    client.hangsUp()
    while (!Probe.calls.includes("_onClose")) await new Promise((resolve) => setTimeout(resolve, 5))
  }
})

test.each(["MAIL", "RCPT", "DATA"])("handler_%s: the method is the command", async (name) => {
  using client = await SmtpClient.greeted((listener.address() as AddressInfo).port)
  Probe.calls = []
  client.sends(`${name} FROM:<a@b>\r\nNOOP\r\n`)
  await client.reply()
  expect(Probe.calls.some((call) => call.startsWith(`handler_${name}`))).toBe(true)
})

test("handler_EHLO: the library has it, and sets openingCommand before it calls them", async () => {
  using client = await SmtpClient.greeted((listener.address() as AddressInfo).port)
  expect(await client.says("BDAT 1")).toBe("250 2.0.0 from mx.sender.example by EHLO")
})

test("handler_BDAT: a command that the library does not know is made by a method of that name", async () => {
  using client = await SmtpClient.greeted((listener.address() as AddressInfo).port)
  expect(await client.says("bdat 1")).toMatch(/^250 /)
})

test("hostNameAppearsAs: MAIL is refused by the library until a greeting has set it", async () => {
  using client = await SmtpClient.connect((listener.address() as AddressInfo).port)
  Probe.calls = []
  expect(await client.says("MAIL FROM:<a@b>")).toMatch(/^503 5\.5\.1 /)
  expect(Probe.calls.filter((call) => call.startsWith("handler_MAIL"))).toEqual([])
})

test("close: the parser is told that it is closed, so that nothing behind it runs", async () => {
  using client = await SmtpClient.greeted((listener.address() as AddressInfo).port)
  const parser = last._parser
  client.sends("QUIT\r\nNOOP\r\n")
  expect(await client.repliesUntilClosed()).toEqual(["221 2.0.0 Bye"])
  expect(parser).toMatchObject({ isClosed: true })
})

test("SMTPStream: without a remainder of its own it runs no command at the end of the stream", async () => {
  const stream = new SMTPStream()
  let ran = 0
  stream.oncommand = () => void (ran += 1)
  stream.end()
  await once(stream, "finish")
  expect(ran).toBe(0)
})

test("_nextHandler: what is set there takes the next line, whatever it is, once", async () => {
  class Asking extends Probe {
    handler_XASK(_command: Buffer, done: () => void): void {
      this._nextHandler = (line: Buffer, next: () => void) => {
        this.send(235, `heard ${line.toString()}`)
        next()
      }
      this.send(334, "which?", false)
      done()
    }
  }
  const asking = createServer((socket) => new Asking(library, socket).init()).listen(0, "127.0.0.1")
  await once(asking, "listening")
  using client = await SmtpClient.connect((asking.address() as AddressInfo).port)
  expect(await client.says("XASK")).toBe("334 which?")
  expect(await client.says("NOOP is no command here")).toMatch(/heard NOOP is no command here$/)
  expect(await client.says("NOOP")).toMatch(/^250 /)
  asking.close()
})

test("authOptional: with AUTH not disabled, nobody has to log in and nobody is counted for it", async () => {
  const open = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true,
    logger: false,
    onConnect: (_session, done) => done(),
  })
  const optional = createServer((socket) => new Probe(open, socket).init()).listen(0, "127.0.0.1")
  await once(optional, "listening")
  using client = await SmtpClient.greeted((optional.address() as AddressInfo).port)
  for (let times = 0; times < 20; times++) expect(await client.says("NOOP")).toMatch(/^250 /)
  expect(await client.says("MAIL FROM:<a@x.example>")).toMatch(/^550 /)
  optional.close()
})
