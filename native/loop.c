#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

#include "fatal.h"

uint64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void watch(struct loop *loop, int operation, int descriptor, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    if (epoll_ctl(loop->epoll, operation, descriptor, &event) < 0) fatal("epoll_ctl");
}

void loop_watch(struct loop *loop, int descriptor, uint32_t events, enum watched what, const struct connection *connection) {
    watch(loop, EPOLL_CTL_ADD, descriptor, events, ticket(what, connection->slot, connection->generation));
}

void loop_watch_for(struct loop *loop, int descriptor, uint32_t events, enum watched what, const struct connection *connection) {
    watch(loop, EPOLL_CTL_MOD, descriptor, events, ticket(what, connection->slot, connection->generation));
}

void loop_watch_listener(struct loop *loop, int descriptor, uint32_t events, uint32_t index) {
    struct epoll_event event = {.events = events, .data.u64 = ticket(WATCHED_LISTENER, index, 0)};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_MOD, descriptor, &event) == 0) return;
    if (errno != ENOENT || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, descriptor, &event) < 0) fatal("epoll_ctl");
}

void loop_again(struct loop *loop, const struct connection *connection) {
    uint8_t *entry = bytes_extend(&loop->again, 8);
    write_u32(entry, connection->slot);
    write_u32(entry + 4, connection->generation);
}

uint8_t *loop_tell(struct loop *loop, enum event kind, uint32_t length) {
    loop->told_of_ends_only = kind == EVENT_ENDED && (loop->told_of_ends_only || loop->events.length == 0);
    uint8_t *record = bytes_extend(&loop->events, length);
    memset(record, 0, RECORD_HEAD_BYTES);
    write_u32(record, length);
    record[4] = (uint8_t)kind;
    write_u32(record + 8, loop->index << SLOT_BITS);
    return record;
}
