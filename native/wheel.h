/*
 * Deadlines on a wheel: setting and clearing one costs the same however many there are. None is early; each may be late
 * by a little more than a tick.
 */
#ifndef WAYPOST_WHEEL_H
#define WAYPOST_WHEEL_H

#include <stdint.h>

/* Ours: what waits here waits for seconds or hours. */
#define WHEEL_TICK_MS 32
/* One turn is 33 s; what is due later stays on for several turns. A multiple of 64. */
#define WHEEL_SLOTS 1024

/* Part of whatever waits; zeroed when it waits for nothing. */
struct timer {
    struct timer *next, **link;
    uint64_t due_ms;
    uint32_t slot;
};

struct wheel {
    struct timer *slots[WHEEL_SLOTS];
    uint64_t occupied[WHEEL_SLOTS / 64];
    uint64_t tick; /* the first one that has not been looked at */
};

/* Sets the one deadline of `timer`, instead of the one it had. */
void wheel_set(struct wheel *wheel, struct timer *timer, uint64_t due_ms);
void wheel_clear(struct wheel *wheel, struct timer *timer);
/* The next timer whose time has come, cleared; NULL when there is none left. */
struct timer *wheel_expired(struct wheel *wheel, uint64_t now_ms);
/* How long epoll_wait may sleep; -1: nothing waits. */
int wheel_sleep_ms(const struct wheel *wheel, uint64_t now_ms);

#endif
