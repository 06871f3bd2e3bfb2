#include "wheel.h"

#include <stddef.h>

void wheel_set(struct wheel *wheel, struct timer *timer, uint64_t due_ms) {
    wheel_clear(wheel, timer);
    uint64_t tick = (due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
    if (tick <= wheel->tick) tick = wheel->tick + 1;
    if (tick >= wheel->tick + WHEEL_SLOTS) tick = wheel->tick + WHEEL_SLOTS - 1;
    timer->due_ms = due_ms;
    timer->slot = tick % WHEEL_SLOTS;
    struct timer **head = &wheel->slots[timer->slot];
    timer->next = *head;
    if (timer->next) timer->next->link = &timer->next;
    timer->link = head;
    *head = timer;
    wheel->occupied[timer->slot / 64] |= 1ull << timer->slot % 64;
}

void wheel_clear(struct wheel *wheel, struct timer *timer) {
    if (!timer->link) return;
    *timer->link = timer->next;
    if (timer->next) timer->next->link = timer->link;
    timer->next = NULL;
    timer->link = NULL;
    if (!wheel->slots[timer->slot]) wheel->occupied[timer->slot / 64] &= ~(1ull << timer->slot % 64);
}

struct timer *wheel_expired(struct wheel *wheel, uint64_t now_ms) {
    uint64_t now_tick = now_ms / WHEEL_TICK_MS;
    if (now_tick >= wheel->tick + WHEEL_SLOTS) wheel->tick = now_tick - WHEEL_SLOTS + 1; /* slept for a whole turn */
    while (wheel->tick <= now_tick) {
        struct timer *timer = wheel->slots[wheel->tick % WHEEL_SLOTS];
        if (!timer) {
            wheel->tick++;
        } else if (timer->due_ms <= now_ms) {
            wheel_clear(wheel, timer);
            return timer;
        } else {
            wheel_set(wheel, timer, timer->due_ms); /* another turn of the wheel */
        }
    }
    return NULL;
}

int wheel_sleep_ms(const struct wheel *wheel, uint64_t now_ms) {
    for (uint64_t ahead = 0; ahead < WHEEL_SLOTS;) {
        uint64_t slot = (wheel->tick + ahead) % WHEEL_SLOTS;
        uint64_t later = wheel->occupied[slot / 64] >> slot % 64;
        if (later == 0) {
            ahead += 64 - slot % 64;
            continue;
        }
        uint64_t due_ms = (wheel->tick + ahead + (uint64_t)__builtin_ctzll(later)) * WHEEL_TICK_MS;
        return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
    }
    return -1;
}
