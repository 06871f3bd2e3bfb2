#include "connection.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "carrying.h"
#include "connecting.h"
#include "deciding.h"
#include "ending.h"
#include "fatal.h"
#include "interest.h"
#include "loop.h"

static struct connection *take(struct loop *loop) {
    if (!loop->free) {
        if (loop->chunk_count == CHUNKS_MAX) fatal("more connections than slots");
        struct connection *chunk = take_zeroed(CONNECTIONS_PER_CHUNK, sizeof *chunk);
        for (uint32_t i = CONNECTIONS_PER_CHUNK; i-- > 0;) {
            chunk[i].slot = loop->chunk_count * CONNECTIONS_PER_CHUNK + i;
            chunk[i].next_free = loop->free;
            loop->free = &chunk[i];
        }
        loop->chunks[loop->chunk_count++] = chunk;
    }
    struct connection *taken = loop->free;
    loop->free = taken->next_free;
    *taken = (struct connection){.slot = taken->slot, .generation = taken->generation, .visitor = -1, .backend = -1};
    return taken;
}

struct connection *connection_find(struct loop *loop, uint32_t slot, uint32_t generation) {
    uint32_t chunk = slot / CONNECTIONS_PER_CHUNK;
    if (chunk >= loop->chunk_count) return NULL;
    struct connection *connection = &loop->chunks[chunk][slot % CONNECTIONS_PER_CHUNK];
    return connection->generation == generation && connection->state != CONNECTION_FREE ? connection : NULL;
}

void connection_begin(struct loop *loop, struct listener *listener, int visitor, const union address *remote) {
    struct connection *connection = take(loop);
    connection->state = CONNECTION_DECIDING;
    connection->listener = listener;
    connection->visitor = visitor;
    connection->remote = *remote;
    connection->local = listener->bound;
    connection->accepted_ms = loop->now_ms;
    socklen_t length = sizeof connection->local;
    if (listener->bound_to_any) getsockname(visitor, &connection->local.any, &length);
    listener->open++;
    connection->to_visitor.writable = true;
    wheel_set(&loop->wheel, &connection->timer, loop->now_ms + listener->decide_ms);
    loop_watch(loop, visitor, interest_in(&connection->to_backend, &connection->to_visitor), WATCHED_VISITOR, connection);
    if (listener->asks_at_accept) deciding_ask(loop, connection);
}

void connection_splice(struct loop *loop, const uint8_t *record) {
    struct connection *connection = take(loop);
    uint32_t for_backend = read_u32(record + 32), meter = read_u32(record + 36);
    const uint8_t *bytes = record + 40;
    int on = 1;
    connection->state = CONNECTION_CARRYING;
    connection->listener = listener_of_spliced(loop);
    connection->visitor = (int)read_u32(record + 16);
    connection->backend = (int)read_u32(record + 20);
    connection->idle_ms = read_u32(record + 24);
    connection->mark = read_u32(record + 28);
    connection->remote.any.sa_family = connection->local.any.sa_family = AF_INET6; /* none of either */
    connection->accepted_ms = connection->moved_ms = loop->now_ms;
    flow_keep(&connection->to_backend, bytes, for_backend);
    flow_keep(&connection->to_visitor, bytes + for_backend, read_u32(record) - 40 - for_backend);
    if (meter > 0) connection_count(loop, connection, meter - 1);
    setsockopt(connection->visitor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(connection->backend, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connection->idle_ms > 0) wheel_set(&loop->wheel, &connection->timer, loop->now_ms + connection->idle_ms);
    struct flow *up = &connection->to_backend, *down = &connection->to_visitor;
    up->room_awaited = down->room_awaited = true; /* told at once where there is room: then what was given is delivered */
    loop_watch(loop, connection->visitor, interest_in(up, down), WATCHED_VISITOR, connection);
    loop_watch(loop, connection->backend, interest_in(down, up), WATCHED_BACKEND, connection);
}

void connection_ready(struct loop *loop, struct connection *connection, bool of_visitor, uint32_t events) {
    struct flow *from = of_visitor ? &connection->to_backend : &connection->to_visitor;
    struct flow *to = of_visitor ? &connection->to_visitor : &connection->to_backend;
    bool broke = events & EPOLLERR;
    if (events & (EPOLLRDHUP | EPOLLHUP) && !broke) from->hung_up = true;
    if (events & EPOLLPRI) from->urgent = true;
    if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) from->readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) to->writable = true;
    if (broke && of_visitor) connection->visitor_broke = true;
    if (broke && !of_visitor) connection->backend_broke = true;
    connection_go_on(loop, connection);
}

void connection_go_on(struct loop *loop, struct connection *connection) {
    switch ((enum state)connection->state) {
    case CONNECTION_DECIDING: return deciding_go_on(loop, connection);
    case CONNECTION_CONNECTING: return connecting_go_on(loop, connection);
    case CONNECTION_CARRYING: return carrying_go_on(loop, connection);
    case CONNECTION_LINGERING: return ending_go_on(loop, connection);
    case CONNECTION_FREE: return;
    }
}

void connection_expired(struct loop *loop, struct connection *connection) {
    switch ((enum state)connection->state) {
    case CONNECTION_DECIDING: return ending_answer(loop, connection, NULL, 0, HOW_UNDECIDED);
    case CONNECTION_CONNECTING: return connecting_expired(loop, connection);
    case CONNECTION_CARRYING: return carrying_expired(loop, connection);
    case CONNECTION_LINGERING: return ending_cut(loop, connection, connection->how);
    case CONNECTION_FREE: return;
    }
}

void connection_command(struct loop *loop, struct connection *connection, const uint8_t *record) {
    if (record[4] == COMMAND_CANCEL) return ending_cut(loop, connection, HOW_CANCELLED);
    /* An answer to what is not asked any more comes too late. */
    if (connection->state == CONNECTION_DECIDING && connection->asked) deciding_follow(loop, connection, record);
}

void connection_count(struct loop *loop, struct connection *connection, uint32_t meter) {
    connection->share = &loop->meters[meter]->shares[loop->index];
    share_enter(connection->share, connection->to_backend.left + connection->to_visitor.left);
}

void connection_watch_anew(struct loop *loop, struct connection *connection, bool up_was_blocked, bool down_was_blocked) {
    struct flow *up = &connection->to_backend, *down = &connection->to_visitor;
    if (interest_changes(up, down, up_was_blocked))
        loop_watch_for(loop, connection->visitor, interest_in(up, down), WATCHED_VISITOR, connection);
    if (connection->backend >= 0 && interest_changes(down, up, down_was_blocked))
        loop_watch_for(loop, connection->backend, interest_in(down, up), WATCHED_BACKEND, connection);
}

uint8_t *connection_tell(struct loop *loop, const struct connection *connection, enum event kind, uint32_t more) {
    uint8_t *record = loop_tell(loop, kind, EVENT_DETAILS + more);
    write_u16(record + 6, (uint16_t)connection->listener->index);
    write_u32(record + 8, loop->index << SLOT_BITS | connection->slot);
    write_u32(record + 12, connection->generation);
    address_write(&connection->remote, record + EVENT_REMOTE);
    address_write(&connection->local, record + EVENT_LOCAL);
    return record;
}

void connection_leave(struct loop *loop, struct connection *connection) {
    struct listener *listener = connection->listener;
    if (connection->share) share_leave(connection->share, connection);
    wheel_clear(&loop->wheel, &connection->timer);
    flow_release(&connection->to_backend, &loop->mover);
    flow_release(&connection->to_visitor, &loop->mover);
    free(connection->attempt);
    connection->attempt = NULL;
    connection->state = CONNECTION_FREE;
    connection->generation++;
    connection->next_free = loop->free;
    loop->free = connection;
    listener_left(loop, listener);
}
