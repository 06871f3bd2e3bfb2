#define _GNU_SOURCE
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "ending.h"
#include "fatal.h"
#include "loop.h"

/* Ours: how much of what is ready one turn looks at. */
#define EVENTS_PER_TURN_MAX 256
/* Ours: spliced data came in pieces below this, so the thread was woken too early; waiting a little lets more arrive, as
   a network card's interrupt moderation does. */
#define MODERATED_PIECE_BYTES (256 * 1024)
#define MODERATION_NS (50 * 1000)

/* Ours: how long a batch of events may grow while there is other work, and one that tells of nothing but ends in any case. */
#define EVENTS_HELD_MS 1
#define ENDS_HELD_MS 2

static void *run(void *argument);
static void turn(struct loop *loop);
static void publish(struct loop *loop, bool busy);
static void moderate(struct loop *loop);
static void notice(struct loop *loop, const struct epoll_event *event);
static void obey_inbox(struct loop *loop);
static void obey(struct loop *loop, const uint8_t *record);
static void close_all(struct loop *loop);

bool thread_start(struct loop *loop) {
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->reserve = dup(loop->wake);
    if (loop->epoll < 0 || loop->wake < 0 || loop->reserve < 0) return false;
    pthread_mutex_init(&loop->mutex, NULL);
    /* Edge-triggered, so that its count need not be read. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = WATCHED_INBOX};
    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event);
    /* Signals are for Node's threads; here they would only interrupt system calls. */
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV), sigdelset(&all, SIGBUS), sigdelset(&all, SIGFPE), sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&loop->thread, NULL, run, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return errno == 0;
}

void thread_post(struct loop *loop, const uint8_t *records, uint32_t count) {
    const uint64_t one = 1;
    pthread_mutex_lock(&loop->mutex);
    bytes_append(&loop->inbox, records, count);
    pthread_mutex_unlock(&loop->mutex);
    atomic_store(&loop->posted, true);
    if (atomic_exchange(&loop->asleep, false) && write(loop->wake, &one, sizeof one) < 0) fatal("eventfd");
}

void thread_join(struct loop *loop) {
    pthread_join(loop->thread, NULL);
    for (uint32_t i = 0; i < loop->chunk_count; i++) free(loop->chunks[i]);
    bytes_free(&loop->inbox);
    bytes_free(&loop->again);
    bytes_free(&loop->events);
    bytes_free(&loop->commands);
    pipes_close(&loop->mover.pipes);
    close(loop->epoll);
    close(loop->wake);
    if (loop->reserve >= 0) close(loop->reserve);
    pthread_mutex_destroy(&loop->mutex);
}

static void *run(void *argument) {
    struct loop *loop = argument;
    pthread_setname_np(pthread_self(), "waypost-engine");
    fatal_names_this_thread();
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0); /* or 50 µs of moderation would take 100 */
    loop->now_ms = monotonic_ms();
    loop->wheel.tick = loop->now_ms / WHEEL_TICK_MS;
    while (!loop->closing) turn(loop);
    return NULL;
}

/* How long epoll_wait may sleep. Who posts from here on wakes it, and what was posted before that is seen. */
static int sleep_for(struct loop *loop) {
    if (loop->events.length > 0 && !loop->told_of_ends_only) return 0;
    int sleep_ms = wheel_sleep_ms(&loop->wheel, loop->now_ms);
    if (loop->events.length > 0 && (sleep_ms < 0 || sleep_ms > ENDS_HELD_MS)) sleep_ms = ENDS_HELD_MS;
    atomic_store(&loop->asleep, true);
    return atomic_load(&loop->posted) ? 0 : sleep_ms;
}

static void turn(struct loop *loop) {
    struct epoll_event ready[EVENTS_PER_TURN_MAX];
    struct bytes again = loop->again;
    loop->again = (struct bytes){0};
    if (again.length == 0) moderate(loop);
    int sleep_ms = again.length > 0 ? 0 : sleep_for(loop);
    int count = epoll_wait(loop->epoll, ready, EVENTS_PER_TURN_MAX, sleep_ms);
    if (count < 0 && errno != EINTR) fatal("epoll_wait");
    atomic_store(&loop->asleep, false);
    loop->now_ms = monotonic_ms();
    if (atomic_exchange(&loop->posted, false)) obey_inbox(loop);
    for (int i = 0; i < count; i++) notice(loop, &ready[i]);
    for (uint32_t i = 0; i < again.length; i += 8) {
        struct connection *connection = connection_find(loop, read_u32(again.at + i), read_u32(again.at + i + 4));
        if (connection) connection_go_on(loop, connection);
    }
    bytes_free(&again);
    for (struct timer *timer; (timer = wheel_expired(&loop->wheel, loop->now_ms));) {
        if (timer == &loop->accept_again) listeners_resume(loop);
        else if (timer == &loop->refill) shares_refill(loop);
        else connection_expired(loop, (struct connection *)timer); /* its first member */
    }
    publish(loop, count > 0 || loop->again.length > 0);
}

/* Waking JavaScript costs more than most of what is told, so a batch grows while there is other work, for a millisecond. */
static void publish(struct loop *loop, bool busy) {
    if (loop->events.length == 0) return;
    if (loop->events_since_ms == 0) loop->events_since_ms = loop->now_ms;
    uint64_t held_ms = loop->now_ms - loop->events_since_ms;
    bool early = loop->told_of_ends_only ? held_ms < ENDS_HELD_MS : busy && held_ms < EVENTS_HELD_MS;
    if (early && !loop->closing) return;
    loop->events_since_ms = 0;
    loop->publish(loop->publish_to, &loop->events);
}

static void moderate(struct loop *loop) {
    struct mover *mover = &loop->mover;
    bool too_early = mover->spliced_pieces > 0 && mover->spliced_bytes / mover->spliced_pieces < MODERATED_PIECE_BYTES;
    mover->spliced_bytes = mover->spliced_pieces = 0;
    if (too_early) nanosleep(&(struct timespec){.tv_nsec = MODERATION_NS}, NULL);
}

static void notice(struct loop *loop, const struct epoll_event *event) {
    enum watched what = event->data.u64 & 3;
    uint32_t slot = (uint32_t)event->data.u64 >> 2;
    uint32_t generation = (uint32_t)(event->data.u64 >> 32);
    if (what == WATCHED_INBOX) return; /* looked into in every turn */
    if (what == WATCHED_LISTENER) {
        if (loop->listeners[slot] && loop->listeners[slot]->descriptor >= 0) listener_ready(loop, loop->listeners[slot]);
        return;
    }
    /* One that ended earlier in this turn is not found any more. */
    struct connection *connection = connection_find(loop, slot, generation);
    if (connection) connection_ready(loop, connection, what == WATCHED_VISITOR, event->events);
}

static void obey_inbox(struct loop *loop) {
    pthread_mutex_lock(&loop->mutex);
    struct bytes commands = loop->inbox;
    loop->inbox = loop->commands;
    loop->inbox.length = 0;
    pthread_mutex_unlock(&loop->mutex);
    for (uint32_t at = 0; at < commands.length && !loop->closing; at += read_u32(commands.at + at)) obey(loop, commands.at + at);
    loop->commands = commands; /* its memory is used again */
}

static void obey(struct loop *loop, const uint8_t *record) {
    enum command command = record[4];
    uint32_t index = read_u16(record + 6);
    uint32_t slot = read_u32(record + 8) & ((1u << SLOT_BITS) - 1);
    switch (command) {
    case COMMAND_LISTEN:
        return listener_start(loop, index, (int)read_u32(record + 16), read_u32(record + 20), record[5] != 0);
    case COMMAND_STOP:
        if (loop->listeners[index]) listener_stop(loop, loop->listeners[index]);
        return;
    case COMMAND_DRAIN:
        if (loop->listeners[index]) listener_drain(loop, loop->listeners[index]);
        return;
    case COMMAND_CLOSE: return close_all(loop);
    case COMMAND_SPLICE: return connection_splice(loop, record);
    default: break;
    }
    struct connection *connection = connection_find(loop, slot, read_u32(record + 12));
    if (connection) connection_command(loop, connection, record);
}

static void close_all(struct loop *loop) {
    for (uint32_t i = 0; i < LISTENERS_MAX; i++)
        if (loop->listeners[i]) listener_close(loop, loop->listeners[i]);
    for (uint32_t i = 0; i < loop->chunk_count * CONNECTIONS_PER_CHUNK; i++) {
        struct connection *connection = &loop->chunks[i / CONNECTIONS_PER_CHUNK][i % CONNECTIONS_PER_CHUNK];
        if (connection->state != CONNECTION_FREE) ending_cut(loop, connection, HOW_CANCELLED);
    }
    loop_tell(loop, EVENT_CLOSED, RECORD_HEAD_BYTES);
    loop->closing = true;
}
