/* A listening socket of one thread. Every thread has its own for the same address; the kernel shares visitors out. */
#ifndef WAYPOST_LISTENER_H
#define WAYPOST_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"

struct loop;

struct listener {
    int descriptor; /* -1 once it is stopped */
    uint32_t index;
    uint32_t decide_ms;
    uint32_t open; /* connections that came in here and are not gone yet */
    bool asks_at_accept;
    bool bound_to_any; /* each connection must be asked for its local address */
    bool draining;     /* TypeScript wants to know when nothing is open */
    union address bound;
};

/*
 * Binds to `where` and listens, once for every thread. 0, or an errno; `where` then has the real port. Descriptors that
 * are there already (not -1) are taken over instead; threads that find none share those that there are.
 */
int listener_open(union address *where, int descriptors[], uint32_t count);

/* Accepts on a descriptor from `listener_open`. */
void listener_start(struct loop *loop, uint32_t index, int descriptor, uint32_t decide_ms, bool asks_at_accept);
void listener_ready(struct loop *loop, struct listener *listener);
/* Takes in whoever is in the queue already, and closes it. */
void listener_stop(struct loop *loop, struct listener *listener);
/* Closes it; it is gone with its last connection. */
void listener_close(struct loop *loop, struct listener *listener);
/* Tells when it carries nothing. */
void listener_drain(struct loop *loop, struct listener *listener);
/* Whose connections come from COMMAND_SPLICE: it accepts nothing, and is gone with the last of them. Counts one more. */
struct listener *listener_of_spliced(struct loop *loop);
/* One of its connections is gone. */
void listener_left(struct loop *loop, struct listener *listener);
/* The pause that followed a lack of descriptors is over. */
void listeners_resume(struct loop *loop);

#endif
