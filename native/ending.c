#include "ending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"

/* Ours: how long a visitor who was answered may take to close, so that no reset overtakes the answer. */
#define LINGER_MS 2000

static void report(struct loop *loop, const struct connection *connection, enum how how);

void ending_answer(struct loop *loop, struct connection *connection, const uint8_t *bytes, uint32_t count, enum how how) {
    flow_keep(&connection->to_visitor, bytes, count);
    flow_release(&connection->to_backend, &loop->mover);
    free(connection->attempt);
    connection->attempt = NULL;
    connection->state = CONNECTION_LINGERING;
    connection->how = (uint8_t)how;
    connection->to_visitor.writable = true;
    wheel_set(&loop->wheel, &connection->timer, loop->now_ms + LINGER_MS);
    ending_go_on(loop, connection);
}

/* Unread bytes would turn our close into a reset. */
void ending_go_on(struct loop *loop, struct connection *connection) {
    struct flow *from = &connection->to_backend, *to = &connection->to_visitor;
    enum standing standing = flow_deliver(to, connection->visitor, &loop->mover);
    if (standing == FLOW_DESTINATION_BROKE) return ending_cut(loop, connection, connection->how);
    connection_watch_anew(loop, connection, false, false);
    bool told = standing == FLOW_AWAITS_SOURCE;
    if (told && !to->finish_passed) to->finish_passed = shutdown(connection->visitor, SHUT_WR) == 0;
    for (uint32_t turn = 0; from->readable && !from->source_ended; turn += COPY_BYTES) {
        if (turn >= TURN_BYTES_MAX) return loop_again(loop, connection);
        ssize_t count = recv(connection->visitor, NULL, COPY_BYTES, MSG_DONTWAIT | MSG_TRUNC); /* thrown away */
        if (count == 0) from->source_ended = true;
        else if (count < 0 && errno == EAGAIN) from->readable = false;
        else if (count < 0) return ending_cut(loop, connection, connection->how);
    }
    if (told && from->source_ended) ending_close(loop, connection, connection->how);
}

void ending_adopt(struct loop *loop, struct connection *connection, uint32_t skip) {
    const struct flow *flow = &connection->to_backend;
    if (skip > flow->left) skip = flow->left;
    uint8_t *record = connection_tell(loop, connection, EVENT_ADOPTED, 12 + flow->left - skip);
    write_number(record + 52, loop->now_ms - connection->accepted_ms);
    write_u32(record + 60, (uint32_t)connection->visitor);
    if (flow->left > skip) memcpy(record + 64, flow->at + skip, flow->left - skip);
    /* It stays open, so epoll would go on to report it. */
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, connection->visitor, NULL);
    connection_leave(loop, connection);
}

void ending_close(struct loop *loop, struct connection *connection, enum how how) {
    report(loop, connection, how);
    close(connection->visitor);
    if (connection->backend >= 0) close(connection->backend);
    connection_leave(loop, connection);
}

static void report(struct loop *loop, const struct connection *connection, enum how how) {
    uint8_t *record = connection_tell(loop, connection, EVENT_ENDED, 28);
    record[5] = (uint8_t)how;
    write_number(record + 52, connection->to_backend.moved);
    write_number(record + 60, connection->to_visitor.moved);
    write_number(record + 68, loop->now_ms - connection->accepted_ms);
    write_u32(record + 76, connection->mark);
}

void ending_cut(struct loop *loop, struct connection *connection, enum how how) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(connection->visitor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (connection->backend >= 0) setsockopt(connection->backend, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ending_close(loop, connection, how);
}
