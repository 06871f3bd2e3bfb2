/*
 * What the engine and TypeScript tell each other, in batches of records. src/net/native/messages.ts is the other side of
 * this file; test/unit/net/native/messages.test.ts holds the two together.
 *
 * Every record begins with
 *   0 u32 length of the record   4 u8 kind   5 u8 detail   6 u16 listener   8 u32 connection   12 u32 generation
 * `connection` is the thread (upper 8 bits) and its slot. A slot is used again, with another generation: an answer that
 * comes late meets a generation that is over, and is dropped.
 */
#ifndef WAYPOST_MESSAGES_H
#define WAYPOST_MESSAGES_H

#define RECORD_HEAD_BYTES 16
#define SLOT_BITS 24

/* Engine to TypeScript. Those about a connection go on with 16 remote address, 34 local address. */
enum event {
    EVENT_ASKED = 1,   /* detail: the visitor has finished; 52 everything received */
    EVENT_ENDED = 2,   /* detail: enum how; 52 f64 bytes to the backend, 60 f64 to the visitor, 68 f64 duration in ms,
                          76 u32 the mark of COMMAND_SPLICE */
    EVENT_ADOPTED = 3, /* 52 f64 duration in ms, 60 u32 descriptor, 64 bytes to give back */
    EVENT_STOPPED = 4, /* the thread `connection` accepts no more at `listener` */
    EVENT_DRAINED = 5, /* it carries nothing of it: the answer to COMMAND_DRAIN */
    EVENT_GONE = 6,    /* both: it has forgotten `listener` */
    EVENT_FULL = 7,    /* no descriptors, visitors wait: 16 u32 how many were turned away since the last time */
    EVENT_CLOSED = 8,  /* the thread `connection` is gone */
};
/* Whose connections did not come in at a listener: this one stands for it, and no address is bound to it. */
#define LISTENER_OF_SPLICED (LISTENERS_MAX - 1)
#define LISTENERS_MAX 1024
#define EVENT_REMOTE 16
#define EVENT_LOCAL 34
#define EVENT_DETAILS 52

/* TypeScript to engine. */
enum command {
    COMMAND_WAIT = 1,
    COMMAND_CARRY = 2, /* 16 u32 bytes to skip, 20 u32 connect deadline in ms, 24 u32 idle deadline in ms (0: none),
                          28 u32 addresses, 32 u32 bytes said on failure, 36 u32 meter (its index + 1; 0: none),
                          40 addresses, bytes said on failure, prefix */
    COMMAND_ANSWER = 3, /* 16 bytes */
    COMMAND_RESET = 4,
    COMMAND_ADOPT = 5,  /* 16 u32 bytes to skip */
    COMMAND_CANCEL = 6, /* at any moment */
    COMMAND_LISTEN = 7, /* written by engine.c; detail: ask at accept; 16 u32 descriptor, 20 u32 decide deadline in ms */
    COMMAND_STOP = 8,   /* the listener */
    COMMAND_DRAIN = 9,  /* the listener: tell when it carries nothing */
    COMMAND_CLOSE = 10, /* the thread: everything is cut */
    COMMAND_SPLICE = 11, /* on the thread: 16 u32 the visitor's descriptor, 20 u32 the backend's, 24 u32 idle deadline in ms
                            (0: none), 28 u32 mark, 32 u32 bytes for the backend, 36 u32 meter (its index + 1; 0: none),
                            40 those, bytes for the visitor */
};

/* How a connection ended: the order of ENDED_HOW in messages.ts. */
enum how {
    HOW_BOTH_FINISHED,
    HOW_VISITOR_RESET,
    HOW_BACKEND_RESET,
    HOW_IDLE,
    HOW_CONNECT_FAILED,
    HOW_CONNECT_TIMEOUT,
    HOW_UNDECIDED,
    HOW_ANSWERED,
    HOW_RESET_BY_US,
    HOW_CANCELLED,
};

#endif
