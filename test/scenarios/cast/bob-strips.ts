/**
 * What Bob could run instead of a relay: it passes every byte between a sender and a mail server, but for the word that
 * offers STARTTLS (RFC 3207 §6, RFC 2595 §2.1). `bob-strips.ts OWN-ADDRESS HOME-ADDRESS HOME-PORT`; says its port over IPC.
 */
import { connect, createServer, type AddressInfo } from "node:net"
import { Transform } from "node:stream"

const [, , ownAddress = "", host = "", port = ""] = process.argv

const server = createServer((sender) => {
  const home = connect({ host, port: Number(port) })
  sender.on("data", (piece: Buffer) => {
    // Some senders ask for what was not offered (RFC 8461 §4.2 and nodemailer's requireTLS): they get no for an answer.
    if (piece.toString("latin1") === "STARTTLS\r\n") sender.write("502 5.5.1 Never heard of it\r\n")
    else if (piece.toString("latin1") === "a STARTTLS\r\n") sender.write("a BAD Never heard of it\r\n")
    else home.write(piece)
  })
  sender.on("end", () => home.end())
  home.pipe(withoutStartTls()).pipe(sender)
  for (const socket of [sender, home]) socket.on("error", () => {}) // either may leave
}).listen(0, ownAddress, () => process.send?.((server.address() as AddressInfo).port))

process.on("disconnect", () => process.exit()) // the test is gone

function withoutStartTls(): Transform {
  return new Transform({
    transform(piece: Buffer, _, done) {
      const text = piece.toString("latin1")
      const without = text
        .replace("250-STARTTLS\r\n", "")
        .replace(/250-(.*\r\n)250 STARTTLS\r\n/, "250 $1")
        .replace(" STARTTLS]", "]")
      done(null, Buffer.from(without, "latin1"))
    },
  })
}
