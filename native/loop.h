/*
 * What one thread of the engine has: an epoll set, its listeners and connections, and the messages from and to TypeScript;
 * and what those ask of it. thread.h is what makes it go round.
 */
#ifndef WAYPOST_LOOP_H
#define WAYPOST_LOOP_H

#include <pthread.h>
#include <stdatomic.h>

#include "bytes.h"
#include "connection.h"
#include "flow.h"
#include "listener.h"
#include "messages.h"
#include "wheel.h"

#define CONNECTIONS_PER_CHUNK 256
#define CHUNKS_MAX ((1 << SLOT_BITS) / CONNECTIONS_PER_CHUNK)

/* Counted for the whole engine: every connection may need two descriptors, and must find the second one. */
struct descriptors {
    atomic_int spoken_for;
    atomic_int limit;
};

struct loop {
    /* Shared with the JavaScript thread. */
    pthread_mutex_t mutex;
    struct bytes inbox;
    atomic_bool posted; /* there is something in the inbox */
    atomic_bool asleep; /* it sleeps or is about to, and must be woken: by this eventfd */
    int wake;
    /* Set before the thread starts. */
    pthread_t thread;
    uint32_t index;
    int epoll;
    struct descriptors *descriptors;
    struct meter *const *meters; /* the engine's; one that a command names is there */
    void (*publish)(void *to, struct bytes *events); /* takes the events over */
    void *publish_to;
    /* The thread's own. */
    bool closing;
    uint64_t now_ms, events_since_ms;
    bool told_of_ends_only; /* nobody waits for what is in `events` */
    struct wheel wheel;
    struct timer accept_again; /* set while accepting is paused */
    uint64_t full_since_ms;    /* and since when */
    struct timer refill;       /* set while a rate holds somebody back */
    struct share *held_back;   /* those in which somebody waits */
    uint32_t turned_away;
    int reserve; /* a descriptor to give up, so that a visitor can be turned away when there is none left */
    struct listener *listeners[LISTENERS_MAX];
    struct connection *chunks[CHUNKS_MAX];
    uint32_t chunk_count;
    struct connection *free;
    struct bytes again; /* connections whose turn was over: slot and generation, 8 bytes each */
    struct bytes events, commands;
    struct mover mover;
};

/* The time that everything here goes by. */
uint64_t monotonic_ms(void);

/* What epoll gives back of a socket: generation, slot, and 2 bits that say what it is. */
enum watched { WATCHED_VISITOR, WATCHED_BACKEND, WATCHED_LISTENER, WATCHED_INBOX };
static inline uint64_t ticket(enum watched what, uint32_t slot, uint32_t generation) {
    return (uint64_t)generation << 32 | (uint64_t)slot << 2 | what;
}

/* Begins to watch a connection's socket, or watches it for something else; what is the case already is told at once. */
void loop_watch(struct loop *loop, int descriptor, uint32_t events, enum watched what, const struct connection *connection);
void loop_watch_for(struct loop *loop, int descriptor, uint32_t events, enum watched what, const struct connection *connection);
/* Of a listener, which is level-triggered: 0 or EPOLLIN. */
void loop_watch_listener(struct loop *loop, int descriptor, uint32_t events, uint32_t index);
void loop_again(struct loop *loop, const struct connection *connection);
/* A record with its head filled in, in the batch that goes out at the end of this turn. */
uint8_t *loop_tell(struct loop *loop, enum event kind, uint32_t length);

#endif
