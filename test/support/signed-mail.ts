/** Mail as Carol's provider sends it: signed, and with what DNS says about who may send it. */
import { generateKeyPairSync } from "node:crypto"
import { dkimSign } from "mailauth/lib/dkim/sign.js"
import type { Zone } from "./name-server.ts"

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 })
/** Of s1._domainkey.sender.example, as PKCS #1, which dkimpy reads. */
export const CAROLS_KEY = privateKey.export({ type: "pkcs1", format: "pem" }).toString()
const PUBLIC_KEY = publicKey.export({ type: "spki", format: "der" }).toString("base64")

/** Who may send for sender.example is 192.0.2.1, who signs has this key, and all else is to be refused. */
export const SENDERS_ZONE: Zone = {
  "sender.example A": ["192.0.2.1"],
  "sender.example TXT": ["v=spf1 ip4:192.0.2.1 -all"],
  "s1._domainkey.sender.example TXT": [`v=DKIM1; k=rsa; p=${PUBLIC_KEY}`],
  "_dmarc.sender.example TXT": ["v=DMARC1; p=reject"],
  "mx.sender.example TXT": ["v=spf1 ip4:192.0.2.1 -all"],
}

export const CAROLS_MAIL =
  "From: Carol <carol@sender.example>\r\nTo: dave@dave.example\r\nSubject: noon\r\n\r\nMeet me at noon.\r\n"

/** The message with a signature on top of it. */
export async function signed(message: string, domain = "sender.example"): Promise<string> {
  const key = { signingDomain: domain, selector: "s1", privateKey: CAROLS_KEY }
  const { signatures } = await dkimSign(message, { ...key, signatureData: [key] })
  return `${signatures}${message}`
}
