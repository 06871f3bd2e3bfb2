#include "interest.h"

#include <sys/epoll.h>

#include "loop.h"

uint32_t interest_in(const struct flow *from, const struct flow *to) {
    return EPOLLET | EPOLLRDHUP | (from->deaf ? 0 : EPOLLIN | EPOLLPRI) | (to->room_awaited ? EPOLLOUT : 0);
}

/* Whether something else is to be told from now on. */
static bool changes(struct flow *from, struct flow *to, bool was_blocked) {
    bool deaf = from->readable && (from->deaf || (was_blocked && !from->writable));
    bool room_awaited = to->room_awaited || !to->writable;
    if (deaf == from->deaf && room_awaited == to->room_awaited) return false;
    from->deaf = deaf;
    from->urgent |= deaf; /* it would not be told, and a read stops at it */
    to->room_awaited = room_awaited;
    return true;
}

void interest_follows(struct loop *loop, struct connection *connection, bool up_was_blocked, bool down_was_blocked) {
    struct flow *up = &connection->to_backend, *down = &connection->to_visitor;
    if (changes(up, down, up_was_blocked))
        loop_watch_for(loop, connection->visitor, interest_in(up, down), WATCHED_VISITOR, connection);
    if (connection->backend >= 0 && changes(down, up, down_was_blocked))
        loop_watch_for(loop, connection->backend, interest_in(down, up), WATCHED_BACKEND, connection);
}
