#define _GNU_SOURCE
#include "connection.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fatal.h"
#include "interest.h"
#include "loop.h"

/* Ours: what is read before anybody could decide; more waits in the kernel. Far above every ClientHello and PROXY header. */
#define RECEIVED_BYTES_MAX (64 * 1024)
/* Ours: how long a visitor who was answered may take to close, so that no reset overtakes the answer. */
#define LINGER_MS 2000
/* Ours: how long a connection without a descriptor for its backend waits before it tries again. */
#define DESCRIPTOR_RETRY_MS 100

/* Where to connect to: what COMMAND_CARRY said, kept until a backend has accepted. */
struct attempt {
    uint32_t next, count;
    uint32_t share_ms; /* of the deadline, for each address */
    uint64_t until_ms;
    enum how failure; /* what the last address came to */
    uint32_t idle_ms;
    uint32_t failure_bytes;
    uint8_t addresses[]; /* `count` of them, then what the visitor is told when all fail */
};

static void hear(struct loop *loop, struct connection *connection);
static void ask(struct loop *loop, struct connection *connection);
static void begin_carrying(struct loop *loop, struct connection *connection, const uint8_t *record);
static void begin_counting(struct loop *loop, struct connection *connection, uint32_t meter);
static void connect_next(struct loop *loop, struct connection *connection);
static bool greet(struct connection *connection);
static void connecting(struct loop *loop, struct connection *connection);
static void address_failed(struct loop *loop, struct connection *connection, enum how why);
static void carry(struct loop *loop, struct connection *connection);
static void answer(struct loop *loop, struct connection *connection, const uint8_t *bytes, uint32_t count, enum how how);
static void linger(struct loop *loop, struct connection *connection);
static void adopt(struct loop *loop, struct connection *connection, uint32_t skip);
static void close_gently(struct loop *loop, struct connection *connection, enum how how);
static void leave(struct loop *loop, struct connection *connection);

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
    if (listener->asks_at_accept) ask(loop, connection);
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
    if (meter > 0) begin_counting(loop, connection, meter - 1);
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
    case CONNECTION_DECIDING: return hear(loop, connection);
    case CONNECTION_CONNECTING: return connecting(loop, connection);
    case CONNECTION_CARRYING: return carry(loop, connection);
    case CONNECTION_LINGERING: return linger(loop, connection);
    case CONNECTION_FREE: return;
    }
}

void connection_expired(struct loop *loop, struct connection *connection) {
    switch ((enum state)connection->state) {
    case CONNECTION_DECIDING: return answer(loop, connection, NULL, 0, HOW_UNDECIDED);
    case CONNECTION_CONNECTING:
        if (connection->backend < 0 && loop->now_ms < connection->attempt->until_ms) return connect_next(loop, connection);
        return address_failed(loop, connection, HOW_CONNECT_TIMEOUT);
    case CONNECTION_CARRYING: {
        if (connection->waits) connection->moved_ms = loop->now_ms; /* it is not silent: we do not listen */
        uint64_t until_ms = connection->moved_ms + connection->idle_ms;
        if (until_ms > loop->now_ms) return wheel_set(&loop->wheel, &connection->timer, until_ms);
        return connection_end(loop, connection, HOW_IDLE);
    }
    case CONNECTION_LINGERING: return connection_end(loop, connection, connection->how);
    case CONNECTION_FREE: return;
    }
}

void connection_command(struct loop *loop, struct connection *connection, const uint8_t *record) {
    enum command command = record[4];
    uint32_t length = read_u32(record);
    if (command == COMMAND_CANCEL) return connection_end(loop, connection, HOW_CANCELLED);
    if (connection->state != CONNECTION_DECIDING || !connection->asked) return;
    connection->asked = false;
    switch (command) {
    case COMMAND_WAIT:
        if (connection->to_backend.source_ended) return close_gently(loop, connection, HOW_UNDECIDED);
        return hear(loop, connection);
    case COMMAND_CARRY: return begin_carrying(loop, connection, record);
    case COMMAND_ANSWER:
        return answer(loop, connection, record + RECORD_HEAD_BYTES, length - RECORD_HEAD_BYTES, HOW_ANSWERED);
    case COMMAND_RESET: return connection_end(loop, connection, HOW_RESET_BY_US);
    case COMMAND_ADOPT: return adopt(loop, connection, read_u32(record + 16));
    default: fatal("a command about a connection that there is not");
    }
}

/* Deciding: reads until TypeScript knows enough. */
static void hear(struct loop *loop, struct connection *connection) {
    struct flow *flow = &connection->to_backend;
    if (connection->visitor_broke) return connection_end(loop, connection, HOW_UNDECIDED);
    if (connection->asked) return; /* what comes meanwhile stays in the kernel */
    bool news = false;
    while (flow->readable && !flow->source_ended && flow->left < RECEIVED_BYTES_MAX) {
        size_t room = RECEIVED_BYTES_MAX - flow->left;
        ssize_t count = recv(connection->visitor, loop->mover.copy, room, MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN) return connection_end(loop, connection, HOW_UNDECIDED);
        if (count > 0) flow_keep(flow, loop->mover.copy, (size_t)count);
        if (count == 0) flow->source_ended = true;
        if (count < 0) flow->readable = false;
        if (count > 0) flow_read(flow, (size_t)count < room);
        news |= count >= 0;
    }
    if (news) ask(loop, connection);
}

/* A record about the connection, with room for `more` after its addresses. */
static uint8_t *tell(struct loop *loop, const struct connection *connection, enum event kind, uint32_t more) {
    uint8_t *record = loop_tell(loop, kind, EVENT_DETAILS + more);
    write_u16(record + 6, (uint16_t)connection->listener->index);
    write_u32(record + 8, loop->index << SLOT_BITS | connection->slot);
    write_u32(record + 12, connection->generation);
    address_write(&connection->remote, record + EVENT_REMOTE);
    address_write(&connection->local, record + EVENT_LOCAL);
    return record;
}

static void ask(struct loop *loop, struct connection *connection) {
    const struct flow *flow = &connection->to_backend;
    uint8_t *record = tell(loop, connection, EVENT_ASKED, flow->left);
    record[5] = flow->source_ended;
    if (flow->left > 0) memcpy(record + EVENT_DETAILS, flow->at, flow->left);
    connection->asked = true;
}

/* What was read before passes first, and is charged. */
static void begin_counting(struct loop *loop, struct connection *connection, uint32_t meter) {
    connection->share = &loop->meters[meter]->shares[loop->index];
    share_enter(connection->share, connection->to_backend.left + connection->to_visitor.left);
}

static void begin_carrying(struct loop *loop, struct connection *connection, const uint8_t *record) {
    struct flow *flow = &connection->to_backend;
    uint32_t skip = read_u32(record + 16);
    uint32_t count = read_u32(record + 28), failure_bytes = read_u32(record + 32);
    uint32_t meter = read_u32(record + 36);
    const uint8_t *addresses = record + 40;
    uint32_t kept_bytes = count * ADDRESS_WIRE_BYTES + failure_bytes;
    uint32_t prefix_bytes = read_u32(record) - 40 - kept_bytes;

    struct attempt *attempt = take_memory(NULL, sizeof *attempt + kept_bytes);
    *attempt = (struct attempt){.count = count, .failure = HOW_CONNECT_FAILED, .failure_bytes = failure_bytes};
    attempt->share_ms = read_u32(record + 20) / count;
    attempt->idle_ms = read_u32(record + 24);
    memcpy(attempt->addresses, addresses, kept_bytes);
    connection->attempt = attempt;

    if (skip > flow->left) skip = flow->left;
    if (skip > 0 || prefix_bytes > 0) {
        struct flow rest = *flow;
        flow->own = NULL;
        flow->left = 0;
        flow_keep(flow, addresses + kept_bytes, prefix_bytes);
        flow_keep(flow, rest.at + skip, rest.left - skip);
        free(rest.own);
    }
    if (meter > 0) begin_counting(loop, connection, meter - 1);
    connection->state = CONNECTION_CONNECTING;
    attempt->until_ms = loop->now_ms + attempt->share_ms;
    connect_next(loop, connection);
}

/* To the address whose turn it is, or to the next one that can be tried at all. */
static void connect_next(struct loop *loop, struct connection *connection) {
    struct attempt *attempt = connection->attempt;
    if (attempt->next == attempt->count) {
        const uint8_t *told = attempt->addresses + attempt->count * ADDRESS_WIRE_BYTES;
        if (attempt->failure_bytes == 0) return connection_end(loop, connection, attempt->failure);
        return answer(loop, connection, told, attempt->failure_bytes, attempt->failure);
    }
    union address to;
    address_read(&to, attempt->addresses + attempt->next * ADDRESS_WIRE_BYTES);
    int backend = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (backend < 0 && (errno == EMFILE || errno == ENFILE)) {
        /* Not the backend's fault, and it passes: other connections end and give theirs back. */
        uint64_t retry_ms = loop->now_ms + DESCRIPTOR_RETRY_MS;
        return wheel_set(&loop->wheel, &connection->timer, retry_ms < attempt->until_ms ? retry_ms : attempt->until_ms);
    }
    int on = 1, off = 0;
    setsockopt(backend, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* We speak first: the first bytes go out with the last segment of the handshake. */
    if (connection->to_backend.left > 0) setsockopt(backend, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
    connection->backend = backend;
    if (backend < 0 || (connect(backend, &to.any, address_length(&to)) < 0 && errno != EINPROGRESS))
        return address_failed(loop, connection, HOW_CONNECT_FAILED);
    if (!greet(connection)) return address_failed(loop, connection, HOW_CONNECT_FAILED);
    struct flow *flow = &connection->to_backend;
    flow->room_awaited = !flow->writable;
    loop_watch(loop, backend, interest_in(&connection->to_visitor, flow), WATCHED_BACKEND, connection);
    if (flow->writable) return connecting(loop, connection);
    wheel_set(&loop->wheel, &connection->timer, attempt->until_ms);
}

/* A backend on this machine has accepted already: saying the first bytes finds that out a turn earlier. False: it has not. */
static bool greet(struct connection *connection) {
    struct flow *flow = &connection->to_backend;
    if (flow->left == 0) return true;
    ssize_t sent = send(connection->backend, flow->at, flow->left, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN;
    flow->at += sent;
    flow->left -= (uint32_t)sent;
    flow->moved += (uint64_t)sent;
    flow->writable = true;
    return true;
}

static void connecting(struct loop *loop, struct connection *connection) {
    if (connection->visitor_broke) return connection_end(loop, connection, HOW_VISITOR_RESET);
    if (connection->backend < 0) return; /* it waits for a descriptor */
    if (connection->backend_broke) return address_failed(loop, connection, HOW_CONNECT_FAILED);
    if (!connection->to_backend.writable) return;
    connection->idle_ms = connection->attempt->idle_ms;
    free(connection->attempt);
    connection->attempt = NULL;
    connection->state = CONNECTION_CARRYING;
    connection->moved_ms = loop->now_ms;
    if (connection->share) share_count(connection->share, connection->to_backend.moved, 0);
    if (connection->idle_ms > 0) wheel_set(&loop->wheel, &connection->timer, loop->now_ms + connection->idle_ms);
    else wheel_clear(&loop->wheel, &connection->timer);
    carry(loop, connection);
}

static void address_failed(struct loop *loop, struct connection *connection, enum how why) {
    if (connection->backend >= 0) close(connection->backend);
    connection->backend = -1;
    connection->backend_broke = false;
    connection->to_visitor.readable = connection->to_visitor.hung_up = false;
    connection->to_backend.writable = connection->to_backend.room_awaited = false;
    connection->attempt->failure = why;
    connection->attempt->next++;
    connection->attempt->until_ms = loop->now_ms + connection->attempt->share_ms;
    connect_next(loop, connection);
}

/* Both directions, each as far as it goes. */
static void carry(struct loop *loop, struct connection *connection) {
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
    if (upward == FLOW_SOURCE_BROKE) return connection_end(loop, connection, HOW_VISITOR_RESET);
    if (upward == FLOW_DESTINATION_BROKE) return connection_end(loop, connection, HOW_BACKEND_RESET);
    if (downward == FLOW_SOURCE_BROKE) return connection_end(loop, connection, HOW_BACKEND_RESET);
    if (downward == FLOW_DESTINATION_BROKE) return connection_end(loop, connection, HOW_VISITOR_RESET);

    interest_follows(loop, connection, up_blocked, down_blocked);
    if (upward == FLOW_HAS_MORE || downward == FLOW_HAS_MORE) loop_again(loop, connection);
    else if (connection->visitor_broke) return connection_end(loop, connection, HOW_VISITOR_RESET);
    else if (connection->backend_broke) return connection_end(loop, connection, HOW_BACKEND_RESET);

    /* Each direction ends on its own (RFC 9293 §3.6.1): who has finished sending still waits for the answer. */
    if (upward == FLOW_DELIVERED && downward == FLOW_DELIVERED) return close_gently(loop, connection, HOW_BOTH_FINISHED);
    if (upward == FLOW_DELIVERED && !up->finish_passed) up->finish_passed = shutdown(backend, SHUT_WR) == 0;
    if (downward == FLOW_DELIVERED && !down->finish_passed) down->finish_passed = shutdown(visitor, SHUT_WR) == 0;
}

static void answer(struct loop *loop, struct connection *connection, const uint8_t *bytes, uint32_t count, enum how how) {
    flow_keep(&connection->to_visitor, bytes, count);
    flow_release(&connection->to_backend, &loop->mover);
    free(connection->attempt);
    connection->attempt = NULL;
    connection->state = CONNECTION_LINGERING;
    connection->how = (uint8_t)how;
    connection->to_visitor.writable = true;
    wheel_set(&loop->wheel, &connection->timer, loop->now_ms + LINGER_MS);
    linger(loop, connection);
}

/* Answered: says the rest of it, then listens until the visitor has closed. Unread bytes would turn our close into a reset. */
static void linger(struct loop *loop, struct connection *connection) {
    struct flow *from = &connection->to_backend, *to = &connection->to_visitor;
    enum standing standing = flow_deliver(to, connection->visitor, &loop->mover);
    if (standing == FLOW_DESTINATION_BROKE) return connection_end(loop, connection, connection->how);
    interest_follows(loop, connection, false, false);
    bool told = standing == FLOW_AWAITS_SOURCE;
    if (told && !to->finish_passed) to->finish_passed = shutdown(connection->visitor, SHUT_WR) == 0;
    for (uint32_t turn = 0; from->readable && !from->source_ended; turn += COPY_BYTES) {
        if (turn >= TURN_BYTES_MAX) return loop_again(loop, connection);
        ssize_t count = recv(connection->visitor, NULL, COPY_BYTES, MSG_DONTWAIT | MSG_TRUNC); /* thrown away */
        if (count == 0) from->source_ended = true;
        else if (count < 0 && errno == EAGAIN) from->readable = false;
        else if (count < 0) return connection_end(loop, connection, connection->how);
    }
    if (told && from->source_ended) close_gently(loop, connection, connection->how);
}

static void report(struct loop *loop, const struct connection *connection, enum how how) {
    uint8_t *record = tell(loop, connection, EVENT_ENDED, 28);
    record[5] = (uint8_t)how;
    write_number(record + 52, connection->to_backend.moved);
    write_number(record + 60, connection->to_visitor.moved);
    write_number(record + 68, loop->now_ms - connection->accepted_ms);
    write_u32(record + 76, connection->mark);
}

/* Hands the visitor's descriptor to JavaScript, with what was read already. */
static void adopt(struct loop *loop, struct connection *connection, uint32_t skip) {
    const struct flow *flow = &connection->to_backend;
    if (skip > flow->left) skip = flow->left;
    uint8_t *record = tell(loop, connection, EVENT_ADOPTED, 12 + flow->left - skip);
    write_number(record + 52, loop->now_ms - connection->accepted_ms);
    write_u32(record + 60, (uint32_t)connection->visitor);
    if (flow->left > skip) memcpy(record + 64, flow->at + skip, flow->left - skip);
    /* It stays open, so epoll would go on to report it. */
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, connection->visitor, NULL);
    leave(loop, connection);
}

static void close_gently(struct loop *loop, struct connection *connection, enum how how) {
    report(loop, connection, how);
    close(connection->visitor);
    if (connection->backend >= 0) close(connection->backend);
    leave(loop, connection);
}

/* Both sides see a reset: neither may take it for the end of what there was to say. */
void connection_end(struct loop *loop, struct connection *connection, enum how how) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(connection->visitor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (connection->backend >= 0) setsockopt(connection->backend, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close_gently(loop, connection, how);
}

static void leave(struct loop *loop, struct connection *connection) {
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
