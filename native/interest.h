/*
 * What epoll is asked to tell of a connection's sockets. Nothing that is known already: that a socket takes bytes is asked
 * for only once it was full, and that a source has more is not asked for while its bytes have nowhere to go. Told all the
 * same, the thread of one fast sender and a slower reader wakes ten times as often, in vain.
 */
#ifndef WAYPOST_INTEREST_H
#define WAYPOST_INTEREST_H

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct flow;
struct loop;

/* Of a socket that is the source of one flow and the destination of the other: events for epoll_ctl. */
uint32_t interest_in(const struct flow *from, const struct flow *to);

/* After both flows of a connection went as far as they go. The two say whether each was blocked before that. */
void interest_follows(struct loop *loop, struct connection *connection, bool up_was_blocked, bool down_was_blocked);

#endif
