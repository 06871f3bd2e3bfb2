/*
 * One direction of a connection: from one socket to the other, until the source has finished and everything it said is
 * delivered. Small flows are copied through a buffer that all connections of a thread share; once a read fills it, bytes
 * go through a pipe without being looked at (splice(2)). A flow owns memory or a pipe only while its destination is
 * blocked, so an idle connection owns neither.
 */
#ifndef WAYPOST_FLOW_H
#define WAYPOST_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipes.h"

/* Ours: the buffer that small flows are copied through. */
#define COPY_BYTES (64 * 1024)
/* Ours: what one direction may move before the others have their turn. */
#define TURN_BYTES_MAX (1024 * 1024)
/* Ours: a spliced piece below this is small, and after so many of them in a row copying costs less. */
#define SMALL_PIECE_BYTES (16 * 1024)
#define SMALL_PIECES_MAX 64

struct flow {
    uint8_t *own;      /* memory that holds the bytes at `at`, if they are not in the shared buffer */
    const uint8_t *at; /* read, not yet delivered */
    uint64_t moved;    /* what the destination's socket has accepted */
    uint32_t left;     /* how many bytes there are at `at` */
    uint32_t piped;    /* how many are in the pipe */
    struct pipe_ends pipe;
    uint8_t small_pieces;
    bool has_pipe : 1;
    bool splicing : 1;
    bool readable : 1;      /* the source may have something; edge-triggered, so only we can tell when it has not */
    bool hung_up : 1;       /* the source has said everything: what a read finds is the rest of it */
    bool urgent : 1;        /* the source may have sent urgent data, at which a read stops: only an empty one means the end */
    bool source_ended : 1;  /* it was reached */
    bool writable : 1;      /* the destination may take something */
    bool room_awaited : 1;  /* epoll tells when it takes something again: asked for once it was blocked */
    bool deaf : 1;          /* epoll does not tell when the source has more: it has, and the destination is blocked */
    bool finish_passed : 1; /* the destination was told that nothing more comes */
};

/* What a thread lends to the flow that is moving, and what it counts. */
struct mover {
    uint8_t copy[COPY_BYTES];
    struct pipes pipes;
    uint64_t spliced_bytes;
    uint32_t spliced_pieces;
};

/* What keeps a flow from going on. */
enum standing {
    FLOW_AWAITS_SOURCE,
    FLOW_AWAITS_DESTINATION,
    FLOW_HAS_MORE,    /* it is the others' turn */
    FLOW_AWAITS_GRANT, /* it has read all that it may */
    FLOW_DELIVERED, /* the source has ended, and the destination accepted all of it */
    FLOW_SOURCE_BROKE,
    FLOW_DESTINATION_BROKE,
};

/* `allowed`: how many bytes it may read, which are taken off; NULL: no limit but its turn. */
enum standing flow_move(struct flow *flow, int source, int destination, struct mover *mover, uint32_t *allowed);

/* Only what is already read. FLOW_AWAITS_SOURCE: all of it is delivered. */
enum standing flow_deliver(struct flow *flow, int destination, struct mover *mover);

/* Bytes were read from the source. Fewer than there was room for: there are no more, and none will come if it has hung up. */
void flow_read(struct flow *flow, bool was_short);

/* Keeps bytes that were read before there was a destination, behind those kept already. */
void flow_keep(struct flow *flow, const uint8_t *bytes, size_t count);

/* Gives back memory and pipe. What was not delivered is lost. */
void flow_release(struct flow *flow, struct mover *mover);

#endif
