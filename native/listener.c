#define _GNU_SOURCE
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop.h"

/* Ours: visitors that wait in the kernel (it may allow fewer: net.core.somaxconn). */
#define BACKLOG 4096
/* Ours: how many a thread takes in before the connections it has get their turn. */
#define ACCEPTS_PER_TURN_MAX 64
/* Ours: how long accepting pauses when descriptors run out, unless a connection of the same thread ends before. */
#define ACCEPT_PAUSE_MS 100
/* A visitor's, and its backend's. */
#define DESCRIPTORS_PER_CONNECTION 2

static int take_over(union address *where, int descriptors[], uint32_t given, uint32_t count);
static int open_one(const union address *where, bool alone, int *descriptor);
static bool take_in(struct loop *loop, struct listener *listener);
static bool full(const struct loop *loop);
static void pause_all(struct loop *loop);
static void watch_all(struct loop *loop, uint32_t events);
static bool no_room(const struct loop *loop);
static void turn_away(struct loop *loop, const struct listener *listener);
static void emptied(struct loop *loop, struct listener *listener);
static void tell(struct loop *loop, const struct listener *listener, enum event kind);

int listener_open(union address *where, int descriptors[], uint32_t count) {
    uint32_t given = 0;
    while (given < count && descriptors[given] >= 0) given++;
    if (given > 0) return take_over(where, descriptors, given, count);
    for (uint32_t i = 0; i < count; i++) {
        /* The first claims the address alone, so that another program's listener is noticed; the others join it. */
        int failed = open_one(where, i == 0, &descriptors[i]);
        socklen_t length = sizeof *where;
        if (failed == 0 && getsockname(descriptors[i], &where->any, &length) < 0) failed = errno;
        if (failed == 0) continue;
        for (uint32_t opened = 0; opened <= i; opened++)
            if (descriptors[opened] >= 0) close(descriptors[opened]);
        return failed;
    }
    for (uint32_t i = 0; i < count; i++) listen(descriptors[i], BACKLOG);
    return 0;
}

/* Somebody else has bound them: systemd, or the relay that this one follows. */
static int take_over(union address *where, int descriptors[], uint32_t given, uint32_t count) {
    int on = 1;
    socklen_t length = sizeof *where;
    if (getsockname(descriptors[0], &where->any, &length) < 0) return errno;
    for (uint32_t i = given; i < count; i++)
        if ((descriptors[i] = dup(descriptors[i % given])) < 0) return errno;
    for (uint32_t i = 0; i < count; i++) {
        fcntl(descriptors[i], F_SETFD, FD_CLOEXEC);
        fcntl(descriptors[i], F_SETFL, fcntl(descriptors[i], F_GETFL) | O_NONBLOCK);
        setsockopt(descriptors[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (listen(descriptors[i], BACKLOG) < 0) return errno;
    }
    return 0;
}

static int open_one(const union address *where, bool alone, int *descriptor) {
    int on = 1;
    int opened = *descriptor = socket(where->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (opened < 0) return errno;
    setsockopt(opened, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(opened, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* what is accepted inherits it */
    if (where->any.sa_family == AF_INET6) setsockopt(opened, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (!alone) setsockopt(opened, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(opened, &where->any, address_length(where)) < 0) return errno;
    if (alone) setsockopt(opened, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    return 0;
}

void listener_start(struct loop *loop, uint32_t index, int descriptor, uint32_t decide_ms, bool asks_at_accept) {
    struct listener *listener = take_zeroed(1, sizeof *listener);
    listener->descriptor = descriptor;
    listener->index = index;
    listener->decide_ms = decide_ms;
    listener->asks_at_accept = asks_at_accept;
    socklen_t length = sizeof listener->bound;
    getsockname(descriptor, &listener->bound.any, &length);
    listener->bound_to_any = address_is_any(&listener->bound);
    loop->listeners[index] = listener;
    loop_watch_listener(loop, descriptor, EPOLLIN, index);
}

void listener_ready(struct loop *loop, struct listener *listener) {
    for (uint32_t i = 0; i < ACCEPTS_PER_TURN_MAX; i++) {
        if (full(loop)) return pause_all(loop);
        if (take_in(loop, listener)) continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause_all(loop);
        return;
    }
}

/* Accepts one. False: there is none, or errno says why not. */
static bool take_in(struct loop *loop, struct listener *listener) {
    union address remote;
    socklen_t length = sizeof remote;
    int visitor = accept4(listener->descriptor, &remote.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (visitor < 0) return errno == ECONNABORTED;
    atomic_fetch_add_explicit(&loop->descriptors->spoken_for, DESCRIPTORS_PER_CONNECTION, memory_order_relaxed);
    connection_begin(loop, listener, visitor, &remote);
    return true;
}

/* Whether one more visitor could be left without a descriptor for its backend. */
static bool full(const struct loop *loop) {
    int spoken_for = atomic_load_explicit(&loop->descriptors->spoken_for, memory_order_relaxed);
    return spoken_for + DESCRIPTORS_PER_CONNECTION > atomic_load_explicit(&loop->descriptors->limit, memory_order_relaxed);
}

/* Visitors wait in the kernel's queue: a level-triggered listener would wake us for them all the time. */
static void pause_all(struct loop *loop) {
    watch_all(loop, 0);
    if (loop->accept_again.link) return;
    wheel_set(&loop->wheel, &loop->accept_again, loop->now_ms + ACCEPT_PAUSE_MS);
    loop->full_since_ms = loop->now_ms;
}

static void watch_all(struct loop *loop, uint32_t events) {
    for (uint32_t i = 0; i < LISTENERS_MAX; i++)
        if (loop->listeners[i] && loop->listeners[i]->descriptor >= 0)
            loop_watch_listener(loop, loop->listeners[i]->descriptor, events, i);
}

void listeners_resume(struct loop *loop) {
    if (!no_room(loop)) return watch_all(loop, EPOLLIN);
    wheel_set(&loop->wheel, &loop->accept_again, loop->now_ms + ACCEPT_PAUSE_MS);
    for (uint32_t i = 0; i < LISTENERS_MAX; i++) {
        const struct listener *listener = loop->listeners[i];
        if (!listener || listener->descriptor < 0) continue;
        if (loop->now_ms - loop->full_since_ms >= listener->decide_ms) turn_away(loop, listener);
    }
    write_u32(loop_tell(loop, EVENT_FULL, RECORD_HEAD_BYTES + 4) + 16, loop->turned_away);
    loop->turned_away = 0;
}

/* As full, but asks the kernel too: the rest of the process needs descriptors, and we do not count those. */
static bool no_room(const struct loop *loop) {
    if (full(loop)) return true;
    int probe = dup(loop->wake);
    if (probe >= 0) close(probe);
    return probe < 0;
}

/*
 * There has been no room for as long as anybody may wait for a decision: resets whoever is in the queue, so that he can
 * try another relay. He is accepted with the reserve.
 */
static void turn_away(struct loop *loop, const struct listener *listener) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    while (no_room(loop)) {
        if (loop->reserve >= 0) close(loop->reserve);
        int visitor = accept4(listener->descriptor, NULL, NULL, SOCK_CLOEXEC);
        if (visitor >= 0) {
            setsockopt(visitor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            close(visitor);
            loop->turned_away++;
        }
        loop->reserve = dup(loop->wake);
        if (visitor < 0) return;
    }
}

void listener_stop(struct loop *loop, struct listener *listener) {
    if (listener->descriptor < 0) return;
    while (!full(loop) && take_in(loop, listener))
        ; /* whoever the kernel has greeted already would be reset by the close */
    listener_close(loop, listener);
}

void listener_close(struct loop *loop, struct listener *listener) {
    if (listener->descriptor < 0) return;
    close(listener->descriptor);
    listener->descriptor = -1;
    tell(loop, listener, EVENT_STOPPED);
    emptied(loop, listener);
}

void listener_drain(struct loop *loop, struct listener *listener) {
    listener->draining = true;
    emptied(loop, listener);
}

struct listener *listener_of_spliced(struct loop *loop) {
    struct listener *listener = loop->listeners[LISTENER_OF_SPLICED];
    if (!listener) {
        listener = loop->listeners[LISTENER_OF_SPLICED] = take_zeroed(1, sizeof *listener);
        listener->descriptor = -1;
        listener->index = LISTENER_OF_SPLICED;
    }
    atomic_fetch_add_explicit(&loop->descriptors->spoken_for, DESCRIPTORS_PER_CONNECTION, memory_order_relaxed);
    listener->open++;
    return listener;
}

void listener_left(struct loop *loop, struct listener *listener) {
    atomic_fetch_sub_explicit(&loop->descriptors->spoken_for, DESCRIPTORS_PER_CONNECTION, memory_order_relaxed);
    listener->open--;
    if (loop->accept_again.link && !full(loop)) {
        wheel_clear(&loop->wheel, &loop->accept_again);
        watch_all(loop, EPOLLIN);
    }
    emptied(loop, listener);
}

/* Tells what follows where nothing is open. */
static void emptied(struct loop *loop, struct listener *listener) {
    if (listener->open > 0) return;
    if (listener->draining) tell(loop, listener, EVENT_DRAINED);
    listener->draining = false;
    if (listener->descriptor >= 0) return;
    tell(loop, listener, EVENT_GONE);
    loop->listeners[listener->index] = NULL;
    free(listener);
}

static void tell(struct loop *loop, const struct listener *listener, enum event kind) {
    write_u16(loop_tell(loop, kind, RECORD_HEAD_BYTES) + 6, (uint16_t)listener->index);
}
