/**
 * What Bob could run in front of his relay: it ends the visitors' TLS with a key of his own, and asks the relay as a
 * visitor would. `bob-reads.ts ADDRESS PORT NAME KEY-FILE CERT-FILE`; the relay listens at [::1] on the same port.
 */
import { readFileSync } from "node:fs"
import { connect, createServer, type TLSSocket } from "node:tls"

const [, , address = "", port = "", name = "", key = "", cert = ""] = process.argv

const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (visitor) => {
  const home = connect({ host: "::1", port: Number(port), servername: name, rejectUnauthorized: false })
  passOn(visitor, home)
  passOn(home, visitor)
}).listen(Number(port), address, () => process.send?.("listening"))

server.on("tlsClientError", () => {}) // a visitor who does not like the key

/** Through this process, so that the record has it. */
function passOn(from: TLSSocket, into: TLSSocket): void {
  from.on("data", (piece: Buffer) => into.write(piece))
  from.on("end", () => into.end()).on("error", () => into.destroy())
}

process.on("disconnect", () => process.exit()) // the test is gone
