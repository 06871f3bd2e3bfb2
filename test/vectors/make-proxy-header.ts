/**
 * Makes proxy-header-built.yaml: one PROXY header for each corner that a reader can get wrong, with what is right and
 * the section of haproxy doc/proxy-protocol.txt that says so. `node test/vectors/make-proxy-header.ts` writes the file.
 */
import { writeFileSync } from "node:fs"
import { bytes } from "../support/hello.ts"
import { FOUR, SIGNATURE, SIX, tlv, v2 } from "../support/proxy-header.ts"
import { vectorFile, yamlOf, type ProxyExpectation, type Vector } from "../support/vectors.ts"

const four: ProxyExpectation = { remote: "192.0.2.1:56324", local: "198.51.100.1:443" }
const six: ProxyExpectation = { remote: "[2001:db8::1]:56324", local: "[2001:db8::2]:443" }
const wrong: ProxyExpectation = { refused: "PROXY_MALFORMED" }
const missing: ProxyExpectation = { refused: "PROXY_MISSING" }
const withTlvs = (...tlvs: number[]): ProxyExpectation => ({
  remote: "192.0.2.1:56324",
  local: "198.51.100.1:443",
  tlvs,
})

const LONGEST_V6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
const v1 = (rest: string) => Buffer.from(`PROXY ${rest}`, "latin1")
const tcp4 = (from: string, to = "198.51.100.1", ports = "56324 443") => v1(`TCP4 ${from} ${to} ${ports}\r\n`)
const tcp6 = (from: string, to = "2001:db8::2") => v1(`TCP6 ${from} ${to} 56324 443\r\n`)

const version1: Vector<ProxyExpectation>[] = [
  vector("v1 TCP4", "§2.1", four, tcp4("192.0.2.1")),
  vector("v1 TCP6", "§2.1", six, tcp6("2001:db8::1")),
  vector(
    "v1 TCP6 in capitals, not shortened",
    "§2.1: upper or lower case",
    six,
    tcp6("2001:0DB8:0000:0000:0000:0000:0000:0001"),
  ),
  {
    ...vector(
      "v1 TCP6 with a mapped address",
      "RFC 4291 §2.5.5.2, as inet_ntop writes it; §2.1 has only hexadecimal",
      { remote: "192.0.2.1:56324", local: "[2001:db8::2]:443" },
      tcp6("::ffff:192.0.2.1"),
    ),
    alsoRight: wrong,
  },
  vector(
    "v1 TCP6, the longest line",
    "§2.1: 104 bytes",
    { remote: `[${LONGEST_V6}]:65535`, local: `[${LONGEST_V6}]:65535` },
    v1(`TCP6 ${LONGEST_V6} ${LONGEST_V6} 65535 65535\r\n`),
  ),
  vector(
    "v1 lowest ports",
    "§2.1: 0 to 65535",
    { remote: "192.0.2.1:0", local: "198.51.100.1:65535" },
    tcp4("192.0.2.1", "198.51.100.1", "0 65535"),
  ),
  vector(
    "v1 with data behind it",
    "§2: the first byte behind the header is the protocol's",
    four,
    tcp4("192.0.2.1"),
    Buffer.from("GET / HTTP/1.1\r\n"),
  ),
  vector("v1 UNKNOWN", "§2.1: short form", "unknown", v1("UNKNOWN\r\n")),
  vector(
    "v1 UNKNOWN, longest",
    "§2.1: 107 bytes; everything before CRLF is ignored",
    "unknown",
    v1(`UNKNOWN ${LONGEST_V6} ${LONGEST_V6} 65535 65535\r\n`),
  ),
  vector(
    "v1 UNKNOWN with anything",
    "§2.1: everything before CRLF is ignored",
    "unknown",
    v1("UNKNOWN \x00\xff hello\r\n"),
  ),
  vector("v1 of 108 bytes", "§2.1: CRLF within 107", wrong, v1(`UNKNOWN ${LONGEST_V6} ${LONGEST_V6} 65535 655350\r\n`)),
  vector("v1 that does not end", "§2.1: CRLF within 107", wrong, v1(`UNKNOWN ${"x".repeat(200)}`)),
  vector("v1 not yet ended", "§2.1: wait for CRLF", "need-more", v1("TCP4 192.0.2.1 198.51.100.1 56324 443\r")),
  vector("v1 only PROXY", "§2.1: wait for CRLF", "need-more", Buffer.from("PROXY")),
  vector("v1 ended by LF", "§2.1: not a single LF", wrong, v1("TCP4 192.0.2.1 198.51.100.1 56324 443\n")),
  vector("v1 ended by CR", "§2.1: not a single CR", wrong, v1("TCP4 192.0.2.1 198.51.100.1 56324 443\rx")),
  vector("v1 UNKNOWN ended by LF", "§2.1: not a single LF", wrong, v1("UNKNOWN\n")),
  vector("v1 UNKNOWN with a letter more", "§2.1: exactly one space", wrong, v1("UNKNOWNS\r\n")),
  vector("v1 in small letters", "§2.1: PROXY", missing, Buffer.from("proxy TCP4 192.0.2.1 198.51.100.1 56324 443\r\n")),
  vector("v1 with small tcp4", "§2.1: TCP4", wrong, v1("tcp4 192.0.2.1 198.51.100.1 56324 443\r\n")),
  vector("v1 UDP4", "§2.1: TCP4, TCP6 or UNKNOWN", wrong, v1("UDP4 192.0.2.1 198.51.100.1 56324 443\r\n")),
  vector("v1 with a tab", "§2.1: exactly one space", wrong, v1("TCP4\t192.0.2.1 198.51.100.1 56324 443\r\n")),
  vector("v1 with two spaces", "§2.1: exactly one space", wrong, v1("TCP4  192.0.2.1 198.51.100.1 56324 443\r\n")),
  vector("v1 with a space at the end", "§2.1: then CRLF", wrong, v1("TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n")),
  vector("v1 with a field more", "§2.1: then CRLF", wrong, v1("TCP4 192.0.2.1 198.51.100.1 56324 443 x\r\n")),
  vector("v1 without ports", "§2.1", wrong, v1("TCP4 192.0.2.1 198.51.100.1\r\n")),
  vector("v1 without addresses", "§2.1", wrong, v1("TCP4\r\n")),
  vector("v1 with nothing", "§2.1", wrong, Buffer.from("PROXY\r\n")),
  vector("v1 with a NUL", "§2.1", wrong, v1("TCP4 192.0.2.1\0 198.51.100.1 56324 443\r\n")),
  vector("v1 octet over 255", "§2.1: 0 to 255; HAProxy 2.6 reads 256 as 0", wrong, tcp4("256.0.2.1")),
  vector("v1 short address", "§2.1: exactly four integers", wrong, tcp4("192.1")),
  vector("v1 address of one number", "§2.1: exactly four integers", wrong, tcp4("3221225985")),
  vector("v1 octal", "§2.1: no heading zeroes", wrong, tcp4("192.0.02.1")),
  vector("v1 octet missing", "§2.1: exactly four integers", wrong, tcp4("192.0..1")),
  vector("v1 five octets", "§2.1: exactly four integers", wrong, tcp4("192.0.2.1.1")),
  vector("v1 host name", "§2.1: addresses", wrong, tcp4("localhost")),
  vector("v1 TCP4 with IPv6", "§2.1: the family dictates the format", wrong, tcp4("2001:db8::1")),
  vector("v1 TCP6 with IPv4", "§2.1: the family dictates the format", wrong, tcp6("192.0.2.1")),
  vector("v1 TCP6 to IPv4", "§2.1: both of the same family", wrong, tcp6("2001:db8::1", "198.51.100.1")),
  vector("v1 TCP6 with two gaps", "§2.1: one double colon", wrong, tcp6("2001::db8::1")),
  vector("v1 TCP6 with nine groups", "§2.1: exactly 128 bits", wrong, tcp6("1:2:3:4:5:6:7:8:9")),
  vector("v1 TCP6 with seven groups", "§2.1: exactly 128 bits", wrong, tcp6("1:2:3:4:5:6:7")),
  vector("v1 TCP6 with five digits", "§2.1: sets of 4", wrong, tcp6("2001:db8::00001")),
  vector("v1 TCP6 with a zone", "§2.1: 128 bits and nothing else", wrong, tcp6("fe80::1%eth0")),
  vector("v1 TCP6 in brackets", "§2.1", wrong, tcp6("[2001:db8::1]")),
  vector("v1 port 65536", "§2.1: 0 to 65535", wrong, tcp4("192.0.2.1", "198.51.100.1", "65536 443")),
  vector(
    "v1 port with a zero in front",
    "§2.1: no heading zeroes",
    wrong,
    tcp4("192.0.2.1", "198.51.100.1", "080 443"),
  ),
  vector("v1 port with a sign", "§2.1: a decimal integer", wrong, tcp4("192.0.2.1", "198.51.100.1", "+80 443")),
  vector("v1 negative port", "§2.1: a decimal integer", wrong, tcp4("192.0.2.1", "198.51.100.1", "80 -1")),
  vector("v1 empty port", "§2.1: a decimal integer", wrong, v1("TCP4 192.0.2.1 198.51.100.1  443\r\n")),
  vector("v1 hexadecimal port", "§2.1: a decimal integer", wrong, tcp4("192.0.2.1", "198.51.100.1", "0x50 443")),
]

const noTlvs = v2(0x21, 0x11, FOUR)

const version2: Vector<ProxyExpectation>[] = [
  vector("v2 TCP4", "§2.2", four, noTlvs),
  vector("v2 TCP6", "§2.2", six, v2(0x21, 0x21, SIX)),
  vector(
    "v2 TCP6 with mapped addresses",
    "RFC 4291 §2.5.5.2",
    four,
    v2(0x21, 0x21, bytes("00000000000000000000ffffc0000201 00000000000000000000ffffc6336401 dc04 01bb")),
  ),
  vector(
    "v2 with data behind it",
    "§2: the first byte behind the header is the protocol's",
    four,
    noTlvs,
    Buffer.from("\x16\x03\x01"),
  ),
  vector("v2 LOCAL", "§2.2", "local", v2(0x20, 0x00)),
  vector(
    "v2 LOCAL with addresses",
    "§2.2: must be discarded (sozu-proxy/sozu#1334 believed them)",
    "local",
    v2(0x20, 0x11, FOUR),
  ),
  vector("v2 LOCAL with an unknown family", "§2.2: the family is ignored", "local", v2(0x20, 0xff, Buffer.alloc(7))),
  vector("v2 UNSPEC", "§2.2: real addresses are used", "unknown", v2(0x21, 0x00)),
  vector(
    "v2 UNSPEC with bytes",
    "§2.2: address information is ignored",
    "unknown",
    v2(0x21, 0x00, Buffer.alloc(9, 0xff)),
  ),
  vector("v2 IPv4, transport unspecified", "§2.2: address information is ignored", "unknown", v2(0x21, 0x10, FOUR)),
  vector("v2 UDP4", "§2.2: as UNSPEC where not supported", "unknown", v2(0x21, 0x12, FOUR)),
  vector("v2 UDP6", "§2.2: as UNSPEC where not supported", "unknown", v2(0x21, 0x22, SIX)),
  vector("v2 UNIX stream", "§2.2: as UNSPEC where not supported", "unknown", v2(0x21, 0x31, Buffer.alloc(216, 0x2f))),
  vector("v2 UNIX datagram", "§2.2: as UNSPEC where not supported", "unknown", v2(0x21, 0x32, Buffer.alloc(216, 0x2f))),
  vector("v2 only the signature", "§2.2", "need-more", SIGNATURE),
  vector("v2 half the signature", "§2.2", "need-more", SIGNATURE.subarray(0, 6)),
  vector("v2 without its last byte", "§2.2: the length counts", "need-more", noTlvs.subarray(0, -1)),
  vector(
    "v2 signature with a wrong byte",
    "§2.2",
    missing,
    Buffer.concat([SIGNATURE.subarray(0, 11), bytes("0b 21 11 000c"), FOUR]),
  ),
  vector("v2 version 1", "§2.2: only version 2 is accepted", wrong, v2(0x11, 0x11, FOUR)),
  vector("v2 version 3", "§2.2: only version 2 is accepted", wrong, v2(0x31, 0x11, FOUR)),
  vector("v2 command 2", "§2.2: unexpected values are dropped", wrong, v2(0x22, 0x11, FOUR)),
  vector("v2 family 4", "§2.2: rejected as invalid", wrong, v2(0x21, 0x41, FOUR)),
  vector("v2 transport 3", "§2.2: rejected as invalid", wrong, v2(0x21, 0x13, FOUR)),
  vector("v2 TCP4 cut short", "§2.2: addresses are of 12 bytes", wrong, v2(0x21, 0x11, FOUR.subarray(0, 11))),
  vector("v2 TCP4 without addresses", "§2.2: addresses are of 12 bytes", wrong, v2(0x21, 0x11)),
  vector("v2 TCP6 with the addresses of TCP4", "§2.2: addresses are of 36 bytes", wrong, v2(0x21, 0x21, FOUR)),
  vector("v2 UNIX cut short", "§2.2: addresses are of 216 bytes", wrong, v2(0x21, 0x31, Buffer.alloc(215))),
  vector(
    "v2 of 64 kB",
    "ours: 8 kB; refused at once, not waited for",
    wrong,
    Buffer.concat([SIGNATURE, bytes("21 11 ffff"), FOUR]),
  ),
]

/** CRC-32C of these headers, computed apart from the code under test (bit by bit, in Python). */
const checksummed = (checksum: string, ...more: Buffer[]) => v2(0x21, 0x11, FOUR, tlv(3, bytes(checksum)), ...more)
const ssl = tlv(
  0x20,
  bytes("01 00000000"),
  tlv(0x21, Buffer.from("TLSv1.3")),
  tlv(0x23, Buffer.from("TLS_AES_128_GCM_SHA256")),
)

const tlvs: Vector<ProxyExpectation>[] = [
  vector(
    "v2 with ALPN and authority",
    "§2.2.1, §2.2.2",
    withTlvs(1, 2),
    v2(0x21, 0x11, FOUR, tlv(1, Buffer.from("h2")), tlv(2, Buffer.from("alice.example"))),
  ),
  vector("v2 with an empty TLV", "§2.2.4: zero or more bytes", withTlvs(4), v2(0x21, 0x11, FOUR, tlv(4))),
  vector(
    "v2 with 4 kB of padding",
    "§2.2.4: data padding",
    withTlvs(4),
    v2(0x21, 0x11, FOUR, tlv(4, Buffer.alloc(4096))),
  ),
  vector("v2 with a unique id of 128 bytes", "§2.2.5", withTlvs(5), v2(0x21, 0x11, FOUR, tlv(5, Buffer.alloc(128)))),
  vector("v2 with SSL", "§2.2.6", withTlvs(0x20), v2(0x21, 0x11, FOUR, ssl)),
  vector("v2 with a namespace", "§2.2.7", withTlvs(0x30), v2(0x21, 0x11, FOUR, tlv(0x30, Buffer.from("blue")))),
  vector("v2 with a custom TLV", "§2.2.8", withTlvs(0xe0), v2(0x21, 0x11, FOUR, tlv(0xe0, Buffer.from("x")))),
  vector(
    "v2 with an unregistered TLV",
    "§2.2: skipped",
    withTlvs(0x99),
    v2(0x21, 0x11, FOUR, tlv(0x99, Buffer.from("x"))),
  ),
  vector("v2 with a right checksum", "§2.2.3", withTlvs(3), checksummed("737ee919")),
  vector(
    "v2 with a right checksum before others",
    "§2.2.3: of the whole header",
    withTlvs(3, 1),
    checksummed("bbe01eba", tlv(1, Buffer.from("h2"))),
  ),
]

const wrongTlvs: Vector<ProxyExpectation>[] = [
  vector(
    "v2 with a unique id of 129 bytes",
    "§2.2.5: up to 128",
    wrong,
    v2(0x21, 0x11, FOUR, tlv(5, Buffer.alloc(129))),
  ),
  vector("v2 with a wrong checksum", "§2.2.3", wrong, checksummed("deadbeef")),
  vector("v2 with a checksum of zero", "§2.2.3", wrong, checksummed("00000000")),
  vector("v2 with a checksum of two bytes", "§2.2.3: 32 bits", wrong, v2(0x21, 0x11, FOUR, tlv(3, bytes("0000")))),
  vector("v2 with two checksums", "§2.2.3: the field", wrong, checksummed("737ee919", tlv(3, bytes("00000000")))),
  vector("v2 TLV longer than the header", "§2.2", wrong, v2(0x21, 0x11, FOUR, bytes("04 0005 00"))),
  vector("v2 TLV of which only the type is there", "§2.2", wrong, v2(0x21, 0x11, FOUR, bytes("04"))),
  vector("v2 TLV with half a length", "§2.2", wrong, v2(0x21, 0x11, FOUR, bytes("04 00"))),
  vector("v2 SSL cut short", "§2.2.6", wrong, v2(0x21, 0x11, FOUR, tlv(0x20, bytes("01 0000")))),
  vector(
    "v2 SSL with a TLV that is too long",
    "§2.2.6",
    wrong,
    v2(0x21, 0x11, FOUR, tlv(0x20, bytes("01 00000000 21 00ff 54"))),
  ),
]

const wrongTlvsBehindPaths: Vector<ProxyExpectation>[] = [
  vector("v2 UNIX with a TLV that is too long", "§2.2", wrong, v2(0x21, 0x31, Buffer.alloc(216), bytes("04 0005 00"))),
]

const others: Vector<ProxyExpectation>[] = [
  vector("no bytes yet", "§2: wait", "need-more", Buffer.alloc(0)),
  vector("a ClientHello", "§2: the header must be there", missing, bytes("16 0301 0005 01")),
  vector("HTTP", "§2: the header must be there", missing, Buffer.from("POST / HTTP/1.1\r\n\r\n")),
  vector("HTTP PROPFIND", "begins as PROXY does", missing, Buffer.from("PROPFIND / HTTP/1.1\r\n\r\n")),
  vector("a line end", "begins as version 2 does", missing, Buffer.from("\r\n\r\nGET")),
]

/** §2.2: for UNSPEC, and what is treated as such, a receiver is free to reject; of TLVs it may skip what it likes. */
const mayReject = (vectors: Vector<ProxyExpectation>[]) =>
  vectors.map((each) => (each.expect === "unknown" ? { ...each, alsoRight: wrong } : each))
const maySkip = (vectors: Vector<ProxyExpectation>[], alsoRight: ProxyExpectation) =>
  vectors.map((each) => ({ ...each, alsoRight }))

export const proxyVectors = [
  ...version1,
  ...mayReject(version2),
  ...tlvs,
  ...maySkip(wrongTlvs, four),
  ...maySkip(wrongTlvsBehindPaths, "unknown"),
  ...others,
]

function vector(
  name: string,
  because: string,
  expect: ProxyExpectation,
  wire: Buffer,
  after?: Buffer,
): Vector<ProxyExpectation> {
  return { name, because, expect, afterBytes: after?.length ?? 0, bytes: after ? Buffer.concat([wire, after]) : wire }
}

if (import.meta.main) writeFileSync(vectorFile("proxy-header-built"), yamlOf(proxyVectors))
