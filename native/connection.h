/*
 * A visitor's connection, from accept to its end, and the backend's that it is carried to. What happens in each of its
 * states is in a file of its own: deciding, connecting, carrying, ending.
 */
#ifndef WAYPOST_CONNECTION_H
#define WAYPOST_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "flow.h"
#include "messages.h"
#include "meter.h"
#include "wheel.h"

struct loop;
struct listener;

enum state { CONNECTION_FREE, CONNECTION_DECIDING, CONNECTION_CONNECTING, CONNECTION_CARRYING, CONNECTION_LINGERING };

struct connection {
    union {
        struct timer timer;
        struct connection *next_free;
    };
    struct flow to_backend, to_visitor;
    struct attempt *attempt; /* while CONNECTING */
    struct listener *listener;
    struct share *share;                /* NULL: nobody counts it */
    struct connection *before, *behind; /* in line, while it waits */
    uint64_t accepted_ms, moved_ms;
    union address remote, local;
    int visitor, backend; /* -1: none */
    uint32_t slot, generation, idle_ms;
    uint32_t mark; /* of COMMAND_SPLICE */
    uint32_t granted;   /* bytes that the next turn may read under a rate */
    uint8_t state, how; /* enum state; enum how, while LINGERING */
    bool asked;         /* TypeScript owes an answer */
    bool waits;         /* its friend's rate holds it back */
    bool visitor_broke, backend_broke;
};

/* A visitor was accepted. */
void connection_begin(struct loop *loop, struct listener *listener, int visitor, const union address *remote);
/* COMMAND_SPLICE: two descriptors that were opened elsewhere. */
void connection_splice(struct loop *loop, const uint8_t *record);
/* epoll says that something may be done. */
void connection_ready(struct loop *loop, struct connection *connection, bool of_visitor, uint32_t events);
void connection_expired(struct loop *loop, struct connection *connection);
/* Goes on where its turn was over. */
void connection_go_on(struct loop *loop, struct connection *connection);
/* One record from TypeScript; `connection` is the one it means. */
void connection_command(struct loop *loop, struct connection *connection, const uint8_t *record);

/* The one in a slot; NULL if that one is over. */
struct connection *connection_find(struct loop *loop, uint32_t slot, uint32_t generation);

/* What all of its states use. */
/* From here on it counts in a meter; what was read before passes first, and is charged. */
void connection_count(struct loop *loop, struct connection *connection, uint32_t meter);
/* After both flows went as far as they go: epoll tells something else, if need be. Says whether each was blocked before. */
void connection_watch_anew(struct loop *loop, struct connection *connection, bool up_was_blocked, bool down_was_blocked);
/* A record about it, with room for `more` bytes behind its addresses. */
uint8_t *connection_tell(struct loop *loop, const struct connection *connection, enum event kind, uint32_t more);
/* Its descriptors are closed or given away: the slot is free. */
void connection_leave(struct loop *loop, struct connection *connection);

#endif
