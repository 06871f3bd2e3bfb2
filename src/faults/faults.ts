/**
 * Every fault that Waypost answers or reports, as a closed set of codes. `blame` says whose move it is, `tell` may be
 * sent to a stranger, details are only logged. Each code has a section in docs/faults.md (a test checks both ways).
 */

/** Whose move it is: the connecting peer's, the friend's (box or backend), the operator's, or nobody's (it passes). */
export type Blame = "peer" | "friend" | "operator" | "passes"

export type FaultKind = {
  readonly blame: Blame
  readonly tell: string
  /** SMTP reply code and enhanced code (RFC 5321 §4.2, RFC 3463), where the fault is answered in SMTP. */
  readonly smtp?: `${4 | 5}${number} ${4 | 5}.${number}.${number}`
  /** HTTP status (RFC 9110 §15), where the fault is answered in HTTP. */
  readonly http?: number
  /** TLS alert description (RFC 8446 §6), where the fault is answered in TLS. */
  readonly alert?: TlsAlert
}

/** The alerts we send, by their RFC 8446 §6 names. */
export type TlsAlert =
  | "unexpected_message"
  | "decode_error"
  | "illegal_parameter"
  | "protocol_version"
  | "internal_error"
  | "record_overflow"
  | "unrecognized_name"

export const faults = {
  // TLS listeners
  NOT_TLS: { blame: "peer", alert: "unexpected_message", tell: "The first bytes are not a TLS ClientHello" },
  HELLO_VERSION: { blame: "peer", alert: "protocol_version", tell: "That is no version of TLS that we know" },
  HELLO_MISFRAMED: {
    blame: "peer",
    alert: "unexpected_message",
    tell: "The ClientHello is laid out wrongly in records",
  },
  RECORD_TOO_LARGE: { blame: "peer", alert: "record_overflow", tell: "A TLS record is larger than RFC 8446 allows" },
  HELLO_MALFORMED: { blame: "peer", alert: "decode_error", tell: "The ClientHello does not follow RFC 8446" },
  HELLO_AMBIGUOUS: { blame: "peer", alert: "illegal_parameter", tell: "The ClientHello says something twice" },
  HELLO_TOO_LARGE: { blame: "peer", alert: "illegal_parameter", tell: "The ClientHello is larger than we read" },
  HELLO_LATE: { blame: "peer", tell: "The connection said nothing we can route by in time" },
  NAME_MALFORMED: { blame: "peer", alert: "illegal_parameter", tell: "The server name is not a host name" },
  NAME_MISSING: { blame: "peer", alert: "unrecognized_name", tell: "The ClientHello names no server" },
  NAME_UNKNOWN: { blame: "peer", alert: "unrecognized_name", tell: "Nobody here answers for that name" },
  // PROXY protocol
  PROXY_MALFORMED: { blame: "peer", tell: "The PROXY header does not follow its specification" },
  PROXY_MISSING: { blame: "peer", tell: "This listener expects a PROXY header from that address" },
  // Before STARTTLS
  NEEDS_TLS: { blame: "peer", smtp: "530 5.7.0", tell: "Must issue a STARTTLS command first" },
  UNNAMED_SENDER: {
    blame: "peer",
    smtp: "421 4.7.0",
    tell: "Your TLS names no host behind this address, and nothing for those behind it is read here: send SNI, use their IPv6 address, or ask their postmaster",
  },
  OTHER_PROTOCOL: { blame: "peer", smtp: "554 5.5.0", tell: "That is not the protocol spoken here" },
  PRELUDE_TOO_LONG: { blame: "peer", smtp: "421 4.7.0", tell: "Too much was said before TLS" },
  HOME_MALFORMED: { blame: "friend", smtp: "451 4.5.0", tell: "The next host does not follow its protocol" },
  HOME_WITHOUT_TLS: { blame: "friend", smtp: "451 4.7.4", tell: "The next host does not begin TLS" },
  HOME_WITHOUT_XCLIENT: {
    blame: "friend",
    smtp: "451 4.5.0",
    tell: "The next host does not take the client's address",
  },
  // Carrying
  NO_ROUTE: { blame: "operator", tell: "No route leads from here", http: 421 },
  BACKEND_REFUSES: {
    blame: "friend",
    smtp: "421 4.4.1",
    http: 502,
    alert: "internal_error",
    tell: "The next host refuses connections",
  },
  BACKEND_SILENT: {
    blame: "friend",
    smtp: "421 4.4.1",
    http: 504,
    alert: "internal_error",
    tell: "The next host did not answer in time",
  },
  BACKEND_UNKNOWN: {
    blame: "operator",
    tell: "The next host's name does not resolve",
    smtp: "421 4.4.3",
    http: 502,
    alert: "internal_error",
  },
  IDLE_TOO_LONG: { blame: "passes", tell: "Nothing was sent for too long" },
  // Tunnels
  BOX_AWAY: {
    blame: "friend",
    tell: "The friend's box is not attached",
    smtp: "421 4.4.1",
    http: 503,
    alert: "internal_error",
  },
  TUNNEL_REFUSED: { blame: "operator", tell: "The relay did not let the box in" },
  CARRIER_UNKNOWN: { blame: "friend", tell: "The carrier shows no ticket that is open here" },
  ANOTHER_KEY: { blame: "friend", tell: "Visitors of the box's name are shown a key that is not the box's" },
  SEALED_TO_ANOTHER: { blame: "operator", tell: "Kept mail is sealed to a key that is not the box's" },
  // Outgoing mail
  OUTGOING_OFF: { blame: "operator", http: 403, tell: "The relay opens no connections to the outside for this friend" },
  OUTGOING_PORT: { blame: "peer", http: 403, tell: "Connections to the outside go to port 25 alone" },
  OUTGOING_PLACE: { blame: "peer", http: 403, tell: "That is no public address, or it is one of the relay's own" },
  OUTGOING_FAMILY: { blame: "operator", http: 502, tell: "The friend has no address of that family at the relay" },
  OUTGOING_TOO_MANY: {
    blame: "passes",
    http: 429,
    tell: "The friend has as many connections to the outside as agreed",
  },
  OUTGOING_AWAY: { blame: "passes", http: 503, tell: "No relay is attached that opens connections to the outside" },
  OUTGOING_LOGIN: { blame: "peer", http: 407, tell: "This port wants another user and password, or any" },
  SOCKS_MALFORMED: { blame: "peer", tell: "That is neither SOCKS 5 nor HTTP CONNECT" },
  SOCKS_COMMAND: { blame: "peer", tell: "Of the commands of SOCKS only CONNECT is known here" },
  // Admission
  TOO_MANY_FROM_SOURCE: { blame: "peer", tell: "Too many connections from your address", smtp: "421 4.7.0", http: 429 },
  TOO_MANY_FOR_FRIEND: { blame: "passes", tell: "Too many connections for this host", smtp: "421 4.3.2", http: 503 },
  TOO_MANY_IN_ALL: { blame: "operator", tell: "The relay is full", smtp: "421 4.3.2", http: 503 },
  // Peer mail: the dialogue
  NOT_OURS: { blame: "peer", smtp: "550 5.7.1", tell: "We do not relay for that address" },
  ROUTED_ADDRESS: { blame: "peer", smtp: "550 5.7.1", tell: "We do not relay through a second hop" },
  NO_SUCH_RECIPIENT: { blame: "peer", smtp: "550 5.1.1", tell: "No such recipient here" },
  RECIPIENTS_UNREADABLE: {
    blame: "operator",
    smtp: "451 4.3.0",
    tell: "We cannot tell whom we take mail for; try later",
  },
  GREYLISTED: {
    blame: "peer",
    smtp: "451 4.7.1",
    tell: "We have not met you yet: please come again in five minutes",
  },
  ADDRESS_LISTED: {
    blame: "peer",
    smtp: "550 5.7.1",
    tell: "Your address is on a block list that this recipient uses",
  },
  CONNECTS_TOO_OFTEN: {
    blame: "peer",
    smtp: "421 4.7.0",
    tell: "Too many connections from your address in one minute; try later",
  },
  MAILS_TOO_OFTEN: {
    blame: "peer",
    smtp: "450 4.7.1",
    tell: "Too many messages from your address in one minute; try later",
  },
  FRIEND_GETS_TOO_MUCH: {
    blame: "peer",
    smtp: "450 4.7.1",
    tell: "Too many messages for this recipient's domain in one minute; try later",
  },
  WAKING_REFUSED: { blame: "peer", smtp: "459 4.7.1", tell: "You may not ask for that domain's mail" },
  WAKING_FAILED: { blame: "operator", smtp: "458 4.3.0", tell: "That mail cannot be started now; try later" },
  MECHANISM_UNKNOWN: { blame: "peer", smtp: "504 5.5.4", tell: "We do not know that way to log in" },
  LOGIN_MISSING: { blame: "peer", smtp: "530 5.7.0", tell: "Log in first" },
  LOGIN_WRONG: { blame: "peer", smtp: "535 5.7.8", tell: "That name and secret do not belong together" },
  LOGIN_TOO_OFTEN: {
    blame: "peer",
    smtp: "421 4.7.0",
    tell: "Too many wrong secrets from your address; try later",
  },
  FETCHING_REFUSED: { blame: "peer", smtp: "450 4.7.1", tell: "You may not fetch that mail, or not like this" },
  FETCHING_TWICE: { blame: "peer", smtp: "451 4.3.2", tell: "That mail is being fetched already" },
  NOTHING_TO_FETCH: { blame: "passes", smtp: "453 4.2.0", tell: "There is no mail for you" },
  TALKED_TOO_SOON: { blame: "peer", smtp: "421 4.7.0", tell: "You talked before you were greeted" },
  POSTMASTER_OF_WHOM: {
    blame: "peer",
    smtp: "550 5.1.1",
    tell: "Several people's mail comes here: write to postmaster at the domain that you mean",
  },
  SENDER_MALFORMED: { blame: "peer", smtp: "553 5.1.7", tell: "The sender is not an address" },
  ADDRESS_MALFORMED: { blame: "peer", smtp: "553 5.1.3", tell: "That is not an address" },
  TLS_NOT_REQUIRED: {
    blame: "peer",
    smtp: "550 5.7.30",
    tell: "Mail for that address cannot be promised to travel over checked TLS alone",
  },
  NEEDS_SMTPUTF8: { blame: "peer", smtp: "553 5.6.7", tell: "A non-ASCII address needs SMTPUTF8" },
  PARAMETER_UNKNOWN: { blame: "peer", smtp: "555 5.5.4", tell: "We do not know that parameter" },
  PARAMETER_MALFORMED: { blame: "peer", smtp: "501 5.5.4", tell: "That parameter's value is not one it can have" },
  COMMAND_MALFORMED: { blame: "peer", smtp: "500 5.5.2", tell: "That is not a command line" },
  COMMAND_MISPLACED: { blame: "peer", smtp: "503 5.5.1", tell: "That command does not come now" },
  TOO_MANY_RECIPIENTS: { blame: "peer", smtp: "452 4.5.3", tell: "Too many recipients for one message" },
  ANOTHER_FRIENDS: {
    blame: "peer",
    smtp: "452 4.5.3",
    tell: "This recipient's mail goes elsewhere: send it in a transaction of its own",
  },
  TOO_MANY_ERRORS: { blame: "peer", smtp: "421 4.7.0", tell: "Too many commands were refused" },
  PIPELINED_UNASKED: { blame: "peer", smtp: "554 5.5.0", tell: "Commands were sent before it was their turn" },
  BARE_LINE_END: { blame: "peer", smtp: "550 5.6.11", tell: "A line ends in a bare CR or LF" },
  LINE_TOO_LONG: { blame: "peer", smtp: "554 5.6.0", tell: "A line of the message is longer than we take" },
  NUL_IN_CONTENT: { blame: "peer", smtp: "550 5.6.0", tell: "The message contains a NUL byte" },
  MESSAGE_TOO_LARGE: { blame: "peer", smtp: "552 5.3.4", tell: "The message is larger than we accept" },
  MAIL_LOOP: { blame: "operator", smtp: "554 5.4.6", tell: "The message has passed too many hosts: a loop" },
  SPOOL_FULL: { blame: "operator", smtp: "452 4.3.1", tell: "No room to keep the message; try later" },
  QUOTA_FULL: { blame: "friend", smtp: "452 4.2.2", tell: "The friend's share of the spool is full; try later" },
  SPOOL_FAILED: { blame: "operator", smtp: "451 4.3.0", tell: "The message could not be kept; try later" },
  SLOW_SENDER: { blame: "peer", smtp: "421 4.4.2", tell: "The session took too long" },
  STOPPING: { blame: "passes", smtp: "421 4.3.2", tell: "The relay is being stopped; try again" },
  // Peer mail: delivery
  HOME_AWAY: { blame: "friend", smtp: "451 4.4.1", tell: "The next host is not answering" },
  HOME_BUSY: {
    blame: "passes",
    smtp: "451 4.3.2",
    tell: "The next host has as many connections as it takes; try later",
  },
  HOME_SAYS_LATER: { blame: "friend", smtp: "451 4.3.0", tell: "The next host asks to try later" },
  HOME_REFUSES: { blame: "friend", smtp: "554 5.0.0", tell: "The next host refuses the message" },
  HOME_TLS_FAILED: { blame: "friend", smtp: "451 4.7.5", tell: "The next host's TLS could not be trusted" },
  HOME_TLS_UNKNOWN: {
    blame: "friend",
    smtp: "451 4.7.5",
    tell: "What the next host's TLS must prove could not be looked up",
  },
  HOME_WITHOUT_DANE: { blame: "friend", smtp: "451 4.7.5", tell: "The next host cannot be proved by DANE" },
  HOME_LACKS_SMTPUTF8: { blame: "friend", smtp: "554 5.6.7", tell: "The next host does not take UTF-8 addresses" },
  HOME_LACKS_REQUIRETLS: { blame: "friend", smtp: "554 5.7.30", tell: "The next host does not support REQUIRETLS" },
  HOME_CANNOT_OPEN: { blame: "friend", smtp: "451 4.7.5", tell: "The next host cannot open what was sealed for it" },
  HOME_TAKES_LESS: { blame: "friend", smtp: "552 5.3.4", tell: "The message is larger than the next host takes" },
  DOMAIN_UNKNOWN: { blame: "peer", smtp: "554 5.1.2", tell: "The sender's domain does not exist" },
  DOMAIN_WITHOUT_MAIL: { blame: "peer", smtp: "556 5.1.10", tell: "The domain says that it takes no mail" },
  NEXT_HOP_IS_US: { blame: "operator", smtp: "554 5.4.6", tell: "The next hop is this relay itself: a loop" },
  REFUSED_BY_HAND: { blame: "friend", smtp: "550 5.7.1", tell: "The message was taken and then refused by hand" },
  DESK_REFUSED: { blame: "friend", tell: "The relay does not know who asks about mail" },
  DESK_AWAY: { blame: "passes", tell: "No relay could be asked about mail" },
  REDIRECT_REFUSED: {
    blame: "operator",
    tell: "Mail is redirected only to an address that its friend's own routes take",
  },
  MAIL_EXPIRED: { blame: "friend", smtp: "554 5.4.7", tell: "The next host stayed away for too long" },
  // HTTP
  HOST_UNKNOWN: { blame: "peer", http: 421, tell: "Nobody here answers for that host" },
  REQUEST_MALFORMED: { blame: "peer", http: 400, tell: "The request does not follow RFC 9112" },
  REQUEST_SLOW: { blame: "peer", http: 408, tell: "The request did not arrive in time" },
  HEADERS_TOO_LARGE: { blame: "peer", http: 431, tell: "The request's header fields are larger than we read" },
  METHOD_REFUSED: { blame: "peer", http: 405, tell: "We do not carry that method" },
  CODING_UNKNOWN: { blame: "peer", http: 501, tell: "We know no transfer coding but chunked" },
  HTTP_VERSION: { blame: "peer", http: 505, tell: "We speak HTTP/1.1 and HTTP/1.0" },
  WEB_LOOP: { blame: "operator", http: 508, tell: "The request has been here before: a loop" },
  BACKEND_FAULTY: { blame: "friend", http: 502, tell: "The next host gave no valid answer" },
  // The program itself
  CONFIG_INVALID: { blame: "operator", tell: "The configuration has faults; nothing was changed" },
  BIND_REFUSED: { blame: "operator", tell: "The address or port could not be bound" },
  PROMISE_BROKEN: { blame: "operator", tell: "A promise to a friend is broken by a route" },
  STATE_DAMAGED: { blame: "operator", tell: "A file in the state folder is not what it must be" },
  STATE_LOCKED: { blame: "operator", tell: "Another relay is using this state folder" },
  RELAY_NOT_RUNNING: { blame: "operator", tell: "No relay is running with this state folder" },
  NO_KERNEL_PATH: {
    blame: "operator",
    tell: "The kernel was not told to lead visitors; the relay carries them itself",
  },
  STATE_TOO_NEW: { blame: "operator", tell: "The state folder was written by a newer Waypost" },
} as const satisfies Record<string, FaultKind>

export type FaultCode = keyof typeof faults

/** A fault that happened: its code, and what only the log and the operator may see. */
export type Fault = { readonly code: FaultCode; readonly detail: string }

export function fault(code: FaultCode, detail: string): Fault {
  return { code, detail }
}

export function kindOf(code: FaultCode): FaultKind {
  return faults[code]
}

/** A fault on its way up to the shell that answers it. Only composition and shells throw it; parsers never do. */
export class FaultError extends Error {
  readonly fault: Fault

  constructor(what: Fault, options?: ErrorOptions) {
    super(`${what.code}: ${what.detail}`, options)
    this.name = "FaultError"
    this.fault = what
  }
}
