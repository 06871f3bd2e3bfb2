/** The demo's little internet: addresses that every machine has and nobody else can reach. */
export const LOOPBACK = "127.0.0.1"
/** Alice's own address at Bob's relay. All of 127.0.0.0/8 is loopback (RFC 1122 §3.2.1.3), on Linux without asking. */
export const ALICES_OWN = "127.0.0.2"
