import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { connect } from "node:net"
import { describe, expect, test } from "@jest/globals"
import SMTPConnection from "nodemailer/lib/smtp-connection"
import { SmtpClient } from "../../../../src/smtp/delivery/smtp-client.ts"
import { BOB } from "../../../support/delivery.ts"
import { nextHop } from "../../../support/next-hop.ts"
import { eventually } from "../../../support/eventually.ts"

describe("the contract with nodemailer 10.6.0", () => {
  test("the version is exactly the one whose members were read", async () => {
    const manifest = createRequire(import.meta.url).resolve("nodemailer/package.json")
    expect(JSON.parse(await readFile(manifest, "utf8"))).toMatchObject({ version: "10.6.0" })
  })

  test.each([
    "_actionGreeting",
    "_parseEhloExtensions",
    "_advanceEnvelope",
    "_actionDATA",
    "_getDsnRcptToArgs",
    "_sendCommand",
    "_upgradeConnection",
  ])("%s is a method that a subclass can take over", (name) => {
    expect(Reflect.get(SMTPConnection.prototype, name)).toBeInstanceOf(Function)
    expect(Object.hasOwn(SmtpClient.prototype, name)).toBe(true)
  })

  test("_actionGreeting is given the greeting", async () => {
    await using hop = await nextHop({ greeting: "220-mx.dave.example hello\r\n220 there" })
    const seen = spied("_actionGreeting")
    await ready(seen.client, hop.port)
    expect(seen.calls).toEqual(["220-mx.dave.example hello\n220 there"])
  })

  test("_parseEhloExtensions is given the reply to EHLO, and _supportedExtensions decides what is used", async () => {
    await using hop = await nextHop({ extensions: ["PIPELINING", "SIZE 10"] })
    const seen = spied("_parseEhloExtensions")
    const client = await ready(seen.client, hop.port)
    expect(seen.calls).toEqual(["250-mx.dave.example\n250-PIPELINING\n250 SIZE 10"])
    expect(client._supportedExtensions).toEqual(["PIPELINING", "SIZE"])
    expect([...client.features]).toEqual([
      ["PIPELINING", ""],
      ["SIZE", "10"],
    ])
  })

  test.each(["PIPELINING", "HELP"])(
    "_advanceEnvelope hears each reply to the envelope (a hop with %s)",
    async (word) => {
      await using hop = await nextHop({ extensions: [word] })
      const seen = spied("_advanceEnvelope")
      await sent(await ready(seen.client, hop.port))
      expect(seen.calls).toEqual(["250 2.1.0 Ok", "250 2.1.5 Ok", "250 2.1.5 Ok"])
    },
  )

  test("_actionDATA is given the reply to DATA", async () => {
    await using hop = await nextHop()
    const seen = spied("_actionDATA")
    await sent(await ready(seen.client, hop.port))
    expect(seen.calls).toEqual(["354 End data with <CR><LF>.<CR><LF>"])
  })

  test("_getDsnRcptToArgs is asked when its recipient is the last of _recipientQueue", async () => {
    await using hop = await nextHop()
    const client = await ready(SmtpClient, hop.port)
    client.parameters = { mail: [], rcpt: new Map([["b@dave.example", ["NOTIFY=NEVER"]]]) }
    await sent(client)
    expect(hop.messages[0]?.rcptParameters).toEqual(["", "NOTIFY=NEVER"])
  })

  test("_sendCommand sees MAIL FROM whole", async () => {
    await using hop = await nextHop()
    const client = await ready(SmtpClient, hop.port)
    client.parameters = { mail: ["SMTPUTF8", "RET=HDRS"], rcpt: new Map() }
    await sent(client, "jörg@sender.example")
    expect(hop.messages[0]?.mailParameters).toBe("SMTPUTF8 RET=HDRS")
  })

  test("_envelope keeps each refused recipient with the reply", async () => {
    await using hop = await nextHop({ on: (line) => (line.includes("<b@") ? "550 5.1.1 No" : undefined) })
    const client = await ready(SmtpClient, hop.port)
    await sent(client)
    expect([...client.refusals()]).toEqual([["b@dave.example", "550 5.1.1 No"]])
    expect(client.mailRefusal).toBeUndefined()
  })

  test("_envelope keeps the refusal of MAIL", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("MAIL") ? "450 4.7.1 Later" : undefined) })
    const client = await ready(SmtpClient, hop.port)
    await sent(client)
    expect(client.mailRefusal).toBe("450 4.7.1 Later")
    expect(client.refusals().size).toBe(0)
  })

  test("_currentDataStream is there from 354 to the final dot and no longer", async () => {
    await using hop = await nextHop()
    const client = await ready(SmtpClient, hop.port)
    expect(client.amidContent).toBe(false)
    let amid = false
    const content = (async function* () {
      amid = client.amidContent
      yield Buffer.from("a\r\n")
    })()
    const { Readable } = await import("node:stream")
    await sent(client, "carol@sender.example", Readable.from(content, { objectMode: false }))
    expect(amid).toBe(true)
    expect(client.amidContent).toBe(false)
  })

  test("_responseActions hears the reply to a line of our own", async () => {
    await using hop = await nextHop()
    const client = await ready(SmtpClient, hop.port)
    const replies = ["MAIL FROM:<>", "RCPT TO:<a@dave.example>", "NONSENSE"].map(
      (line) => new Promise<string>((heard) => client.ask(line, heard)),
    )
    expect(await Promise.all(replies)).toEqual([
      "250 2.1.0 Ok",
      "250 2.1.5 Ok",
      expect.stringMatching(/^250 /), // the scripted hop has no command that it does not know
    ])
  })

  test.each(["250 2.0.0 Ok: queued", "552 5.3.4 Too much"])(
    "_createSendStream stuffs dots, ends with one, and hears %j",
    async (said) => {
      await using hop = await nextHop({ on: (line) => (line === "." ? said : undefined) })
      const client = await ready(SmtpClient, hop.port)
      for (const line of ["MAIL FROM:<>", "RCPT TO:<a@dave.example>", "DATA"])
        await new Promise<string>((heard) => client.ask(line, heard))
      const reply = await new Promise<string>((heard) => client.content(heard).end(".x\r\n"))
      expect(reply).toBe(said)
      expect(hop.messages.map(({ content }) => content.toString())).toEqual(said.startsWith("2") ? [".x\r\n"] : [])
    },
  )

  test("close tells nobody but by the event end", async () => {
    await using hop = await nextHop({ on: (line) => (line === "DATA" ? "stall" : undefined) })
    const client = await ready(SmtpClient, hop.port)
    let called = false
    let ended = false
    client.on("end", () => (ended = true))
    client.send({ from: "", to: ["a@dave.example"] }, Buffer.from("x"), () => (called = true))
    await eventually("DATA was said", () => hop.sessions[0]?.commands.includes("DATA") ?? false)
    client.close()
    expect({ called, ended }).toEqual({ called: false, ended: true })
  })
})

type Spied = { readonly client: typeof SmtpClient; readonly calls: string[] }

/** A client that writes down the first argument of every call to a member. */
function spied(name: "_actionGreeting" | "_parseEhloExtensions" | "_advanceEnvelope" | "_actionDATA"): Spied {
  const calls: string[] = []
  class Spy extends SmtpClient {}
  const original = SmtpClient.prototype[name] as (this: unknown, ...args: unknown[]) => void
  Object.defineProperty(Spy.prototype, name, {
    value(this: unknown, ...args: unknown[]) {
      calls.push(String(args[0]))
      original.apply(this, args)
    },
  })
  return { client: Spy, calls }
}

async function ready(Client: typeof SmtpClient, port: number): Promise<SmtpClient> {
  const socket = connect(port, "127.0.0.1")
  const client = new Client({ socket, name: BOB, peerName: undefined, tls: "plain", tlsOptions: {} })
  client.on("error", () => {})
  await new Promise<void>((resolve) => client.connect(() => resolve()))
  return client
}

function sent(
  client: SmtpClient,
  from = "carol@sender.example",
  content: Parameters<SmtpClient["send"]>[1] = Buffer.from("x\r\n"),
): Promise<void> {
  return new Promise((resolve) =>
    client.send({ from, to: ["a@dave.example", "b@dave.example"] }, content, () => resolve()),
  )
}
