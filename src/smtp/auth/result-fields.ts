/**
 * Writes findings down as header fields: Authentication-Results (RFC 8601 §2.2) and Received-SPF (RFC 7208 §9.1). What a
 * sender chose stands in them only as what it is, inside quotes if it is no plain word: no field can be made to say more.
 */
import { domainToASCII } from "node:url"
import type { Hostname } from "../../names/hostname.ts"
import type { Findings, HandedIn, Signature } from "./findings.ts"

/** Ours: a domain has 255 at most (RFC 5321 §4.5.3.1.2), and what is longer says nothing to anybody. */
const VALUE_CHARS_MAX = 320
/** Ours: enough for why a signature failed. */
const REASON_CHARS_MAX = 100
/** RFC 6008 §4: eight characters of the signature tell it from the others. */
const SIGNATURE_CHARS = 8

/** Both fields, each with CRLF behind it, the results on top (RFC 8601 §5, RFC 7208 §9.1: above our own Received). */
export function resultFields(name: Hostname, findings: Findings, by: HandedIn): string {
  return `Authentication-Results: ${resultsOf(name, findings, by)}\r\n${receivedSpf(name, findings, by)}\r\n`
}

/** The value of the field, folded. */
export function resultsOf(name: Hostname, { spf, dkim, dmarc }: Findings, by: HandedIn): string {
  const signatures = dkim.length > 0 ? dkim.map(signatureResult) : ["dkim=none"]
  return [
    name,
    `spf=${spf}${property("smtp.mailfrom", domainOf(by.from))}${property("smtp.helo", by.helo)}`,
    ...signatures,
    `dmarc=${dmarc.result}${reason(dmarc.why)}${property("header.from", dmarc.from)}${property("policy.dmarc", dmarc.policy)}`,
  ].join(";\r\n\t")
}

function signatureResult({ result, why, domain, selector, algorithm, value }: Signature): string {
  const about = [
    property("header.d", domain),
    property("header.s", selector),
    property("header.a", algorithm),
    property("header.b", value?.slice(0, SIGNATURE_CHARS)),
  ]
  return `dkim=${result}${reason(why)}${about.join("")}`
}

function receivedSpf(name: Hostname, { spf }: Findings, { address, helo, from }: HandedIn): string {
  const pairs = [
    `receiver=${name}`,
    `client-ip=${word(address)}`,
    ...(from === "" ? [] : [`envelope-from=${quoted(from, VALUE_CHARS_MAX)}`]),
    ...(helo === "" ? [] : [`helo=${word(helo)}`]),
    `identity=${from === "" ? "helo" : "mailfrom"}`,
  ]
  return `Received-SPF: ${spf} ${pairs.join(";\r\n\t")}`
}

function property(name: string, value: string | undefined): string {
  return value === undefined || value === "" ? "" : `\r\n\t ${name}=${word(value)}`
}

function reason(why: string | undefined): string {
  return why === undefined ? "" : `\r\n\t reason=${quoted(why, REASON_CHARS_MAX)}`
}

function domainOf(from: string): string {
  return from.slice(from.lastIndexOf("@") + 1)
}

/** As it is where it is a name, else inside quotes. ASCII alone: what asks for SMTPUTF8 is the message's own to decide. */
function word(text: string): string {
  const ascii = IS_ASCII.test(text) ? text : domainToASCII(text) || text.replace(/[^ -~]/gu, "?")
  return NAME.test(ascii) && ascii.length <= VALUE_CHARS_MAX ? ascii : quoted(ascii, VALUE_CHARS_MAX)
}

const IS_ASCII = /^[ -~]*$/
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?$/

/** RFC 5322 §3.2.4: no control characters, and nothing that ends it early. An envelope's address may be UTF-8 (RFC 6532). */
function quoted(text: string, charsMax: number): string {
  // oxlint-disable-next-line no-control-regex -- they are what is taken out
  const safe = text.slice(0, charsMax).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "?")
  return `"${safe.replace(/["\\]/g, "\\$&")}"`
}
