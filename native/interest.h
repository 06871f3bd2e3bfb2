/*
 * What epoll is asked to tell of a connection's sockets. Nothing that is known already: that a socket takes bytes is asked
 * for only once it was full, and that a source has more is not asked for while its bytes have nowhere to go. Told all the
 * same, the thread of one fast sender and a slower reader wakes ten times as often, in vain.
 */
#ifndef WAYPOST_INTEREST_H
#define WAYPOST_INTEREST_H

#include <stdbool.h>
#include <stdint.h>

#include "flow.h"

/* Of a socket that is the source of one flow and the destination of the other: events for epoll_ctl. */
uint32_t interest_in(const struct flow *from, const struct flow *to);

/* After both went as far as they go: whether something else is to be told of it. `was_blocked`: `from`, before that. */
bool interest_changes(struct flow *from, struct flow *to, bool was_blocked);

#endif
