/**
 * Makes client-hello-built.yaml: one ClientHello for each corner that a reader can get wrong, with what is right and
 * why. Run it after a change: `node test/vectors/make-client-hello.ts`; a unit test sees that the file is current.
 */
import { writeFileSync } from "node:fs"
import {
  alpn,
  block,
  bytes,
  clientHello,
  cutAt,
  cutEvery,
  extension,
  nameOfType,
  record,
  serverName,
  u16,
} from "../support/hello.ts"
import { vectorFile, yamlOf, type HelloExpectation, type Vector } from "../support/vectors.ts"

const alice: HelloExpectation = { name: "alice.example" }
const nobody: HelloExpectation = { name: null }
const malformed: HelloExpectation = { refused: "HELLO_MALFORMED" }
const ambiguous: HelloExpectation = { refused: "HELLO_AMBIGUOUS" }
const noName: HelloExpectation = { refused: "NAME_MALFORMED" }
const misframed: HelloExpectation = { refused: "HELLO_MISFRAMED" }

const plain = clientHello()
/** RFC 8701: reserved values that a server must ignore. */
const GREASE = 0x0a0a
const padding = (sizeBytes: number) => extension(21, Buffer.alloc(sizeBytes))
const withExtensions = (...extensions: Buffer[]) => record(clientHello({ extensions }))
const named = (name: string) => withExtensions(serverName(name))
/** The plain hello with the byte at an offset of the record replaced. */
const patched = (offset: number, ...values: number[]) => {
  const whole = record(plain)
  whole.set(values, offset)
  return whole
}

/** Offsets in `record(plain)`: record header 5, message header 4, version 2, random 32. */
const SESSION_ID_AT = 5 + 4 + 2 + 32
const CIPHERS_AT = SESSION_ID_AT + 1
const EXTENSIONS_AT = CIPHERS_AT + 2 + 6 + 2
const SERVER_NAME_AT = EXTENSIONS_AT + 2

const framing: Vector<HelloExpectation>[] = [
  vector("plain", "the least that names somebody", alice, record(plain)),
  vector(
    "two records, cut inside the name",
    "RFC 8446 §5.1: messages may be fragmented over records",
    alice,
    cutAt(plain, plain.length - 6),
  ),
  vector("first record shorter than the message header", "RFC 8446 §5.1", alice, cutAt(plain, 2)),
  vector("one-byte records", "RFC 8446 §5.1: any fragment but an empty one", alice, cutEvery(plain, 1)),
  vector(
    "records of 64 bytes",
    "RFC 8446 §5.1; RFC 6066 §4 and RFC 8449 make clients do it",
    alice,
    cutEvery(plain, 64),
  ),
  vector(
    "12 kB in one record",
    "post-quantum certificates and padding grow hellos",
    alice,
    withExtensions(padding(12_000), serverName("alice.example")),
  ),
  vector(
    "16 kB, the fullest record",
    "RFC 8446 §5.1: 2^14 bytes are allowed",
    alice,
    withExtensions(padding(16_384 - plain.length - 4), serverName("alice.example")),
  ),
  vector(
    "20 kB in two records",
    "RFC 8446 §4: a message may be larger than a record",
    alice,
    cutAt(clientHello({ extensions: [padding(20_000), serverName("alice.example")] }), 16_384),
  ),
  vector(
    "ChangeCipherSpec behind it",
    "RFC 8446 §D.4: it may come in the same segment",
    alice,
    record(plain),
    record(Buffer.of(1), { type: 20, version: 0x0303 }),
  ),
  vector(
    "early data behind it",
    "RFC 8446 §2.3: 0-RTT data follows at once",
    alice,
    record(plain),
    record(Buffer.alloc(40, 7), { type: 23, version: 0x0303 }),
  ),
  vector(
    "empty first record",
    "RFC 8446 §5.1: no zero-length fragments of handshake types",
    misframed,
    Buffer.concat([record(Buffer.alloc(0)), record(plain)]),
  ),
  vector(
    "empty record in the middle",
    "RFC 8446 §5.1",
    misframed,
    Buffer.concat([record(plain.subarray(0, 50)), record(Buffer.alloc(0)), record(plain.subarray(50))]),
  ),
  vector(
    "ChangeCipherSpec between two fragments",
    "RFC 8446 §5.1: no other records between fragments",
    misframed,
    Buffer.concat([record(plain.subarray(0, 50)), record(Buffer.of(1), { type: 20 }), record(plain.subarray(50))]),
  ),
  vector(
    "an alert between two fragments",
    "RFC 8446 §5.1",
    misframed,
    Buffer.concat([record(plain.subarray(0, 50)), record(Buffer.of(2, 0), { type: 21 }), record(plain.subarray(50))]),
  ),
  vector(
    "a second message in the same record",
    "RFC 8446 §5.1: a message before a change of keys ends its record",
    misframed,
    record(Buffer.concat([plain, plain])),
  ),
  vector(
    "a record of 16,385 bytes",
    "RFC 8446 §5.1: at most 2^14",
    { refused: "RECORD_TOO_LARGE" },
    withExtensions(padding(16_385 - plain.length - 4), serverName("alice.example")),
  ),
  vector(
    "a record of 65,535 bytes, then nothing",
    "RFC 8446 §5.1; refused at once, not waited for",
    { refused: "RECORD_TOO_LARGE" },
    bytes("16 0301 ffff 01"),
  ),
  vector(
    "a message of 16 MB, then nothing",
    "ours: 32 kB on the wire",
    { refused: "HELLO_TOO_LARGE" },
    bytes("16 0301 0010 01 ffffff 0303"),
  ),
  vector(
    "a message of 64 kB",
    "ours: 32 kB on the wire",
    { refused: "HELLO_TOO_LARGE" },
    cutEvery(clientHello({ extensions: [padding(60_000)] }), 16_384).subarray(0, 400),
  ),
  vector("nothing but the record header", "one deadline, and no spinning", "need-more", record(plain).subarray(0, 5)),
  vector("half a hello", "one deadline, and no spinning", "need-more", record(plain).subarray(0, 60)),
  vector(
    "half a hello, in a whole record",
    "Not read yet is not the same as no name (CVE-2026-32305)",
    "need-more",
    record(plain.subarray(0, 60)),
  ),
]

const versions: Vector<HelloExpectation>[] = [
  ...[0x0300, 0x0302, 0x0303, 0x0304].map((version) =>
    vector(`record version ${hex(version)}`, "RFC 8446 §5.1: to be ignored", alice, record(plain, { version })),
  ),
  ...[0x0301, 0x0302, 0x0304, 0x0305, 0x0400].map((version) =>
    vector(
      `legacy version ${hex(version)}`,
      "RFC 5246 §E.1: newer ones are answered with what one knows",
      alice,
      record(clientHello({ version })),
    ),
  ),
  vector(
    "record version 0401",
    "no version of TLS had it; OpenSSL refuses too",
    { refused: "HELLO_VERSION" },
    record(plain, { version: 0x0401 }),
  ),
  vector(
    "legacy version 0200",
    "RFC 6176: not SSLv2",
    { refused: "HELLO_VERSION" },
    record(clientHello({ version: 0x0200 })),
  ),
  vector(
    "SSLv2-compatible hello",
    "RFC 8446 §D.5",
    { refused: "NOT_TLS" },
    bytes(
      "802e 01 0301 0015 0000 0010 000004 000005 00000a 010080 070080 030080 060040 00112233445566778899aabbccddeeff",
    ),
  ),
  vector(
    "future version in supported_versions",
    "RFC 8446 §4.2.1: unknown versions are ignored",
    alice,
    withExtensions(extension(43, block(1, bytes("7f1c 0305 0304"))), serverName("alice.example")),
  ),
]

const shape: Vector<HelloExpectation>[] = [
  vector("session id of 32 bytes", "RFC 8446 §4.1.2", alice, record(clientHello({ sessionId: Buffer.alloc(32, 1) }))),
  vector(
    "session id of 33 bytes",
    "RFC 8446 §4.1.2: 0 to 32",
    malformed,
    record(clientHello({ sessionId: Buffer.alloc(33, 1) })),
  ),
  vector("session id longer than the hello", "a lying length", malformed, patched(SESSION_ID_AT, 0xff)),
  vector(
    "200 cipher suites",
    "as scanners send them",
    alice,
    record(clientHello({ ciphers: Buffer.alloc(400, 0x13) })),
  ),
  vector(
    "odd cipher length",
    "RFC 8446 §4.1.2: suites are of two bytes",
    malformed,
    record(clientHello({ ciphers: bytes("1301 13") })),
  ),
  vector(
    "no cipher suites",
    "RFC 8446 §4.1.2: at least one",
    malformed,
    record(clientHello({ ciphers: Buffer.alloc(0) })),
  ),
  vector("cipher length longer than the hello", "a lying length", malformed, patched(CIPHERS_AT, 0xff, 0xfe)),
  vector(
    "no compression method",
    "RFC 8446 §4.1.2: at least one",
    malformed,
    record(clientHello({ compressions: Buffer.alloc(0) })),
  ),
  vector(
    "two compression methods",
    "RFC 5246 §7.4.1.2: old clients offer DEFLATE",
    alice,
    record(clientHello({ compressions: bytes("01 00") })),
  ),
  vector(
    "no extension block at all",
    "RFC 5246 §7.4.1.2: an old client",
    nobody,
    record(clientHello({ extensions: undefined })),
  ),
  vector("empty extension block", "an old client", nobody, withExtensions()),
  vector(
    "no server name",
    "RFC 6066 §3: it is the client's choice",
    { name: null, alpn: ["h2"] },
    withExtensions(alpn("h2")),
  ),
  vector(
    "ends before the ciphers",
    "a lying length",
    malformed,
    record(Buffer.concat([bytes("01 000023 0303"), Buffer.alloc(32), Buffer.of(0)])),
  ),
  vector("empty message", "a lying length", malformed, record(bytes("01 000000"))),
  vector(
    "one byte after the compression methods",
    "half the length of an extension block",
    malformed,
    record(clientHello({ extensions: undefined, trailing: Buffer.of(0) })),
  ),
  vector(
    "extension block shorter than the hello",
    "nothing may follow it",
    malformed,
    record(clientHello({ trailing: Buffer.of(0) })),
  ),
  vector("extension block longer than the hello", "a lying length", malformed, patched(EXTENSIONS_AT, 0, 0x7f)),
  vector("extension longer than its block", "a lying length", malformed, patched(SERVER_NAME_AT + 2, 0, 0x7f)),
  vector(
    "extension shorter than its content",
    "the rest is read as an extension and has no length",
    malformed,
    patched(SERVER_NAME_AT + 2, 0, 0x11),
  ),
  vector(
    "extension of which only the type is there",
    "a lying length",
    malformed,
    withExtensions(serverName("alice.example"), bytes("000a")),
  ),
  vector(
    "70 extensions",
    "RFC 8446 §4.2 sets no limit",
    alice,
    withExtensions(...Array.from({ length: 70 }, (_, index) => extension(0x4000 + index)), serverName("alice.example")),
  ),
  vector(
    "GREASE everywhere",
    "RFC 8701: ignored",
    alice,
    record(
      clientHello({
        ciphers: bytes("0a0a 1301"),
        extensions: [
          extension(GREASE),
          serverName("alice.example"),
          extension(43, block(1, bytes("1a1a 0304"))),
          extension(10, block(2, bytes("2a2a 001d"))),
          extension(0xfafa, Buffer.of(0)),
        ],
      }),
    ),
  ),
  vector(
    "doubled server name",
    "RFC 8446 §4.2: no extension twice",
    ambiguous,
    withExtensions(serverName("alice.example"), serverName("alice.example")),
  ),
  vector(
    "doubled server name that differs",
    "RFC 8446 §4.2: whoever reads the other one routes elsewhere",
    ambiguous,
    withExtensions(serverName("alice.example"), serverName("dave.example")),
  ),
  vector(
    "doubled extension of no interest",
    "RFC 8446 §4.2: no extension twice",
    ambiguous,
    withExtensions(extension(23), serverName("alice.example"), extension(23)),
  ),
  vector(
    "renegotiation_info with content",
    "RFC 5746 §3.6: the box's business, not ours",
    alice,
    withExtensions(extension(0xff01, block(1, Buffer.alloc(12))), serverName("alice.example")),
  ),
  vector(
    "pre_shared_key last, with binders",
    "RFC 8446 §4.2.11: bytes must stay exact",
    alice,
    withExtensions(
      serverName("alice.example"),
      extension(45, bytes("0101")),
      extension(41, block(2, block(2, Buffer.alloc(32, 9)), Buffer.alloc(4)), block(2, block(1, Buffer.alloc(32, 8)))),
    ),
  ),
  vector(
    "post-quantum key share",
    "X25519MLKEM768: 1,216 bytes",
    alice,
    withExtensions(extension(51, block(2, u16(0x11ec), block(2, Buffer.alloc(1216, 3)))), serverName("alice.example")),
  ),
  vector(
    "encrypted ClientHello",
    "RFC 9849: the outer name is the one to route by",
    alice,
    withExtensions(
      serverName("alice.example"),
      extension(0xfe0d, bytes("00 0001 0001 07"), block(2, Buffer.alloc(32, 4)), block(2, Buffer.alloc(144, 5))),
    ),
  ),
  vector(
    "another handshake message",
    "RFC 8446 §4: type 2 is a ServerHello",
    { refused: "NOT_TLS" },
    record(clientHello({ type: 2 })),
  ),
  vector(
    "HTTP",
    "a browser that was told http://",
    { refused: "NOT_TLS" },
    Buffer.from("GET / HTTP/1.1\r\nHost: alice.example\r\n\r\n"),
  ),
  vector("SSH", "a client at the wrong port", { refused: "NOT_TLS" }, Buffer.from("SSH-2.0-OpenSSH_9.2\r\n")),
  vector("SMTP", "a sender at the wrong port", { refused: "NOT_TLS" }, Buffer.from("EHLO carol.example\r\n")),
  vector("an alert", "RFC 8446 §6: no hello", { refused: "NOT_TLS" }, record(Buffer.of(2, 40), { type: 21 })),
]

const names: Vector<HelloExpectation>[] = [
  vector("name in upper and lower case", "RFC 6066 §3: compared without regard to case", alice, named("ALICE.Example")),
  vector("trailing dot", "RFC 6066 §3 wants none; clients send it", alice, named("alice.example.")),
  vector("one label", "RFC 6066 §3 does not forbid it", { name: "localhost" }, named("localhost")),
  vector("underscore", "RFC 8552: in use", { name: "_mta-sts.alice.example" }, named("_mta-sts.alice.example")),
  vector(
    "A-label",
    "RFC 6066 §3: names are in A-labels",
    { name: "xn--bcher-kva.example" },
    named("xn--bcher-kva.example"),
  ),
  vector(
    "253 characters",
    "RFC 1035 §2.3.4: the longest there is",
    { name: `${"a.".repeat(126)}b` },
    named(`${"a.".repeat(126)}b`),
  ),
  vector("254 characters", "RFC 1035 §2.3.4", noName, named(`${"a.".repeat(126)}bc`)),
  vector("a name of 4,096 bytes", "RFC 1035 §2.3.4", noName, named("a".repeat(4096))),
  vector(
    "label of 63 characters",
    "RFC 1035 §2.3.4",
    { name: `${"a".repeat(63)}.example` },
    named(`${"a".repeat(63)}.example`),
  ),
  vector("label of 64 characters", "RFC 1035 §2.3.4", noName, named(`${"a".repeat(64)}.example`)),
  vector(
    "name last, after padding",
    "RFC 8446 §4.2: any order",
    alice,
    withExtensions(padding(512), serverName("alice.example")),
  ),
  vector(
    "unknown name type first",
    "RFC 6066 §3: other types begin with their length",
    alice,
    withExtensions(extension(0, block(2, nameOfType(7, "opaque"), nameOfType(0, "alice.example")))),
  ),
  vector(
    "only an unknown name type",
    "RFC 6066 §3",
    nobody,
    withExtensions(extension(0, block(2, nameOfType(7, "opaque")))),
  ),
  vector(
    "two host names",
    "RFC 6066 §3: one of a type",
    ambiguous,
    withExtensions(serverName("alice.example", "dave.example")),
  ),
  vector(
    "empty server name extension",
    "RFC 6066 §3: that is the server's answer",
    malformed,
    withExtensions(extension(0)),
  ),
  vector("empty server name list", "RFC 6066 §3: at least one name", malformed, withExtensions(serverName())),
  vector("empty name", "RFC 6066 §3: at least one byte", malformed, named("")),
  vector(
    "name list longer than its extension",
    "a lying length",
    malformed,
    withExtensions(extension(0, u16(0x7f), nameOfType(0, "alice.example"))),
  ),
  vector(
    "name list shorter than its extension",
    "nothing may follow it",
    malformed,
    withExtensions(extension(0, block(2, nameOfType(0, "alice.example")), Buffer.of(0))),
  ),
  vector(
    "name longer than its list",
    "a lying length",
    malformed,
    withExtensions(extension(0, block(2, Buffer.of(0), u16(0x7f), Buffer.from("alice.example")))),
  ),
  vector(
    "name shorter than its list",
    "the rest is read as another name and has no length",
    malformed,
    withExtensions(extension(0, block(2, nameOfType(0, "alice.example"), Buffer.of(1)))),
  ),
  vector("IPv4 literal", "RFC 6066 §3 does not permit it; it names nobody", nobody, named("192.0.2.1")),
  vector("IPv6 literal", "RFC 6066 §3 does not permit it; it names nobody", nobody, named("2001:db8::1")),
  vector("IPv6 literal in brackets", "no host name, no address", noName, named("[2001:db8::1]")),
  vector("NUL inside", "what comes before it is not the name", noName, named("alice.example\0.evil.example")),
  vector("NUL at the end", "what comes before it is not the name", noName, named("alice.example\0")),
  vector("CR LF inside", "log and header injection", noName, named("alice.example\r\nX: y")),
  vector("space inside", "RFC 1035 §2.3.1", noName, named("alice.example x")),
  vector("slash inside", "paths made of names", noName, named("../alice.example")),
  vector("backslash inside", "paths made of names", noName, named("alice\\.example")),
  vector("DEL inside", "a control character", noName, named("alice\x7f.example")),
  vector("raw UTF-8", "RFC 6066 §3: ASCII only", noName, named(Buffer.from("bücher.example").toString("latin1"))),
  vector(
    "a Kelvin sign",
    "Unicode's lower case of it is k",
    noName,
    named(Buffer.from("\u212Aelvin.example").toString("latin1")),
  ),
  vector("name with a port", "RFC 6066 §3: host name only", noName, named("alice.example:443")),
  vector("wildcard as name", "a pattern is no name", noName, named("*.example")),
  vector("empty label", "RFC 1035 §2.3.1", noName, named("alice..example")),
  vector("leading dot", "RFC 1035 §2.3.1", noName, named(".alice.example")),
  vector("only a dot", "the root is no host", noName, named(".")),
]

const protocols: Vector<HelloExpectation>[] = [
  vector(
    "two protocols",
    "RFC 7301 §3.1",
    { name: "alice.example", alpn: ["h2", "http/1.1"] },
    withExtensions(serverName("alice.example"), alpn("h2", "http/1.1")),
  ),
  vector(
    "a certificate challenge",
    "RFC 8737 §3: it is the box's, never the relay's",
    { name: "alice.example", alpn: ["acme-tls/1"] },
    withExtensions(alpn("acme-tls/1"), serverName("alice.example")),
  ),
  vector(
    "a protocol that is not text",
    "RFC 7301 §3.1: opaque bytes; RFC 8701 greases them",
    { name: "alice.example", alpn: ["\x0a\x0a\x80", "h2"] },
    withExtensions(serverName("alice.example"), alpn("\x0a\x0a\x80", "h2")),
  ),
  vector(
    "empty protocol list",
    "RFC 7301 §3.1: at least one",
    malformed,
    withExtensions(serverName("alice.example"), alpn()),
  ),
  vector(
    "empty protocol",
    "RFC 7301 §3.1: at least one byte",
    malformed,
    withExtensions(serverName("alice.example"), alpn("h2", "")),
  ),
  vector(
    "protocol list longer than its extension",
    "a lying length",
    malformed,
    withExtensions(serverName("alice.example"), extension(16, u16(9), block(1, Buffer.from("h2")))),
  ),
  vector(
    "protocol list shorter than its extension",
    "nothing may follow it",
    malformed,
    withExtensions(serverName("alice.example"), extension(16, block(2, block(1, Buffer.from("h2"))), Buffer.of(0))),
  ),
  vector(
    "protocol longer than its list",
    "a lying length",
    malformed,
    withExtensions(serverName("alice.example"), extension(16, block(2, Buffer.of(9), Buffer.from("h2")))),
  ),
]

/** RFC 7568 §3: SSLv3 is not to be negotiated. Who cannot negotiate may leave the refusing to the box, or refuse. */
const version3: Vector<HelloExpectation> = {
  ...vector(
    "legacy version 0300",
    "RFC 7568 §3: the box will refuse it",
    alice,
    record(clientHello({ version: 0x0300 })),
  ),
  alsoRight: { refused: "HELLO_VERSION" },
}

export const helloVectors = [...framing, ...versions, version3, ...shape, ...names, ...protocols]

function vector(
  name: string,
  because: string,
  expect: HelloExpectation,
  wire: Buffer,
  after?: Buffer,
): Vector<HelloExpectation> {
  return { name, because, expect, afterBytes: after?.length ?? 0, bytes: after ? Buffer.concat([wire, after]) : wire }
}

function hex(version: number): string {
  return u16(version).toString("hex")
}

if (import.meta.main) writeFileSync(vectorFile("client-hello-built"), yamlOf(helloVectors))
