#include "interest.h"

#include <sys/epoll.h>

uint32_t interest_in(const struct flow *from, const struct flow *to) {
    return EPOLLET | EPOLLRDHUP | (from->deaf ? 0 : EPOLLIN | EPOLLPRI) | (to->room_awaited ? EPOLLOUT : 0);
}

bool interest_changes(struct flow *from, struct flow *to, bool was_blocked) {
    bool deaf = from->readable && (from->deaf || (was_blocked && !from->writable));
    bool room_awaited = to->room_awaited || !to->writable;
    if (deaf == from->deaf && room_awaited == to->room_awaited) return false;
    from->deaf = deaf;
    from->urgent |= deaf; /* it would not be told, and a read stops at it */
    to->room_awaited = room_awaited;
    return true;
}
