#include "carrying.h"

#include <sys/socket.h>

#include "ending.h"
#include "loop.h"

void carrying_begin(struct loop *loop, struct connection *connection) {
    connection->state = CONNECTION_CARRYING;
    connection->moved_ms = loop->now_ms;
    if (connection->idle_ms > 0) wheel_set(&loop->wheel, &connection->timer, loop->now_ms + connection->idle_ms);
    else wheel_clear(&loop->wheel, &connection->timer);
    carrying_go_on(loop, connection);
}

void carrying_go_on(struct loop *loop, struct connection *connection) {
    struct flow *up = &connection->to_backend, *down = &connection->to_visitor;
    int visitor = connection->visitor, backend = connection->backend;
    uint64_t up_moved = up->moved, down_moved = down->moved;
    bool up_blocked = !up->writable, down_blocked = !down->writable;
    bool has_rate = share_has_rate(connection->share);
    uint32_t allowed = 0, kept = 0, *limit = has_rate ? &allowed : NULL;
    if (has_rate) allowed = share_grant(loop, connection);
    if (has_rate) allowed -= kept = allowed / 2; /* or one direction could leave nothing to the other */

    enum standing upward = flow_move(up, visitor, backend, &loop->mover, limit);
    allowed += kept;
    bool broke = upward == FLOW_SOURCE_BROKE || upward == FLOW_DESTINATION_BROKE;
    enum standing downward = broke ? FLOW_AWAITS_SOURCE : flow_move(down, backend, visitor, &loop->mover, limit);
    if (up->moved != up_moved || down->moved != down_moved) {
        connection->moved_ms = loop->now_ms;
        if (connection->share) share_count(connection->share, up->moved - up_moved, down->moved - down_moved);
    }
    if (has_rate)
        share_settle(loop, connection, allowed, upward == FLOW_AWAITS_GRANT || downward == FLOW_AWAITS_GRANT);
    if (upward == FLOW_SOURCE_BROKE) return ending_cut(loop, connection, HOW_VISITOR_RESET);
    if (upward == FLOW_DESTINATION_BROKE) return ending_cut(loop, connection, HOW_BACKEND_RESET);
    if (downward == FLOW_SOURCE_BROKE) return ending_cut(loop, connection, HOW_BACKEND_RESET);
    if (downward == FLOW_DESTINATION_BROKE) return ending_cut(loop, connection, HOW_VISITOR_RESET);

    connection_watch_anew(loop, connection, up_blocked, down_blocked);
    if (upward == FLOW_HAS_MORE || downward == FLOW_HAS_MORE) loop_again(loop, connection);
    else if (connection->visitor_broke) return ending_cut(loop, connection, HOW_VISITOR_RESET);
    else if (connection->backend_broke) return ending_cut(loop, connection, HOW_BACKEND_RESET);

    /* Each direction ends on its own (RFC 9293 §3.6.1): who has finished sending still waits for the answer. */
    if (upward == FLOW_DELIVERED && downward == FLOW_DELIVERED) return ending_close(loop, connection, HOW_BOTH_FINISHED);
    if (upward == FLOW_DELIVERED && !up->finish_passed) up->finish_passed = shutdown(backend, SHUT_WR) == 0;
    if (downward == FLOW_DELIVERED && !down->finish_passed) down->finish_passed = shutdown(visitor, SHUT_WR) == 0;
}

void carrying_expired(struct loop *loop, struct connection *connection) {
    if (connection->waits) connection->moved_ms = loop->now_ms; /* it is not silent: we do not listen */
    uint64_t until_ms = connection->moved_ms + connection->idle_ms;
    if (until_ms > loop->now_ms) return wheel_set(&loop->wheel, &connection->timer, until_ms);
    return ending_cut(loop, connection, HOW_IDLE);
}
