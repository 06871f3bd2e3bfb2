#include "connecting.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "carrying.h"
#include "ending.h"
#include "interest.h"
#include "loop.h"

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

static struct attempt *attempt_of(const uint8_t *record);
static void replace_first_bytes(struct flow *flow, uint32_t skip, const uint8_t *prefix, uint32_t prefix_bytes);
static void connect_next(struct loop *loop, struct connection *connection);
static bool greet(struct connection *connection);
static void address_failed(struct loop *loop, struct connection *connection, enum how why);

void connecting_begin(struct loop *loop, struct connection *connection, const uint8_t *record) {
    struct attempt *attempt = connection->attempt = attempt_of(record);
    uint32_t skip = read_u32(record + 16), meter = read_u32(record + 36);
    const uint8_t *prefix = record + 40 + attempt->count * ADDRESS_WIRE_BYTES + attempt->failure_bytes;
    replace_first_bytes(&connection->to_backend, skip, prefix, (uint32_t)(record + read_u32(record) - prefix));
    if (meter > 0) connection_count(loop, connection, meter - 1);
    connection->state = CONNECTION_CONNECTING;
    attempt->until_ms = loop->now_ms + attempt->share_ms;
    connect_next(loop, connection);
}

static struct attempt *attempt_of(const uint8_t *record) {
    uint32_t count = read_u32(record + 28), failure_bytes = read_u32(record + 32);
    uint32_t kept_bytes = count * ADDRESS_WIRE_BYTES + failure_bytes;
    struct attempt *attempt = take_memory(NULL, sizeof *attempt + kept_bytes);
    *attempt = (struct attempt){.count = count, .failure = HOW_CONNECT_FAILED, .failure_bytes = failure_bytes};
    attempt->share_ms = read_u32(record + 20) / count;
    attempt->idle_ms = read_u32(record + 24);
    memcpy(attempt->addresses, record + 40, kept_bytes);
    return attempt;
}

/* What the backend hears first: not what was for us alone, and a PROXY header before the rest. */
static void replace_first_bytes(struct flow *flow, uint32_t skip, const uint8_t *prefix, uint32_t prefix_bytes) {
    if (skip > flow->left) skip = flow->left;
    if (skip == 0 && prefix_bytes == 0) return;
    struct flow rest = *flow;
    flow->own = NULL;
    flow->left = 0;
    flow_keep(flow, prefix, prefix_bytes);
    flow_keep(flow, rest.at + skip, rest.left - skip);
    free(rest.own);
}

/* To the address whose turn it is, or to the next one that can be tried at all. */
static void connect_next(struct loop *loop, struct connection *connection) {
    struct attempt *attempt = connection->attempt;
    if (attempt->next == attempt->count) {
        const uint8_t *told = attempt->addresses + attempt->count * ADDRESS_WIRE_BYTES;
        if (attempt->failure_bytes == 0) return ending_cut(loop, connection, attempt->failure);
        return ending_answer(loop, connection, told, attempt->failure_bytes, attempt->failure);
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
    if (flow->writable) return connecting_go_on(loop, connection);
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

void connecting_go_on(struct loop *loop, struct connection *connection) {
    if (connection->visitor_broke) return ending_cut(loop, connection, HOW_VISITOR_RESET);
    if (connection->backend < 0) return; /* it waits for a descriptor */
    if (connection->backend_broke) return address_failed(loop, connection, HOW_CONNECT_FAILED);
    if (!connection->to_backend.writable) return;
    connection->idle_ms = connection->attempt->idle_ms;
    free(connection->attempt);
    connection->attempt = NULL;
    if (connection->share) share_count(connection->share, connection->to_backend.moved, 0);
    carrying_begin(loop, connection);
}

void connecting_expired(struct loop *loop, struct connection *connection) {
    if (connection->backend < 0 && loop->now_ms < connection->attempt->until_ms) return connect_next(loop, connection);
    return address_failed(loop, connection, HOW_CONNECT_TIMEOUT);
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
