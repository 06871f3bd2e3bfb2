/* Drives the wheel of native/ through years of chance in fake time, beside a plain list that cannot be wrong. */
#include <stdio.h>
#include <stdlib.h>

#include "wheel.h"

#define TIMERS 300
#define STEPS 400000
#define LATE_MS_MAX (2 * WHEEL_TICK_MS)

static uint64_t state = 42;

/* xorshift64: the same on every machine */
static uint64_t chance(uint64_t below) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state % below;
}

/* Moments, seconds, or several turns of the wheel. */
static uint64_t delay_ms(void) {
    static const uint64_t most[] = {100, 5000, 40000, 4000000};
    return chance(most[chance(4)]);
}

static struct timer timers[TIMERS];
static uint64_t due_ms[TIMERS]; /* 0: none */

static void complain(const char *what, uint64_t now_ms, uint64_t number) {
    printf("%s: at %llu ms, timer %llu due at %llu ms\n", what, (unsigned long long)now_ms, (unsigned long long)number,
           (unsigned long long)(number < TIMERS ? due_ms[number] : 0));
    exit(1);
}

int main(void) {
    static struct wheel wheel;
    uint64_t now_ms = 1000000, fired = 0, slept = 0;
    wheel.tick = now_ms / WHEEL_TICK_MS;
    for (uint64_t step = 0; step < STEPS; step++) {
        uint64_t number = chance(TIMERS);
        if (chance(4) == 0) {
            wheel_clear(&wheel, &timers[number]);
            due_ms[number] = 0;
        } else {
            due_ms[number] = now_ms + delay_ms();
            wheel_set(&wheel, &timers[number], due_ms[number]);
        }
        uint64_t first_ms = 0;
        for (uint64_t i = 0; i < TIMERS; i++)
            if (due_ms[i] && (!first_ms || due_ms[i] < first_ms)) first_ms = due_ms[i];
        int sleep_ms = wheel_sleep_ms(&wheel, now_ms);
        if ((sleep_ms < 0) != !first_ms) complain("sleeps although something waits, or wakes for nothing", now_ms, TIMERS);
        if (first_ms && now_ms + (uint64_t)sleep_ms > first_ms + LATE_MS_MAX) complain("sleeps too long", now_ms, TIMERS);
        if (sleep_ms > 0 && chance(2)) now_ms += (uint64_t)sleep_ms, slept++; /* or something else wakes it earlier, or late */
        else now_ms += chance(8) ? chance(50) : chance(60000);
        for (struct timer *timer; (timer = wheel_expired(&wheel, now_ms));) {
            number = (uint64_t)(timer - timers);
            if (!due_ms[number] || due_ms[number] > now_ms) complain("too early, or was cleared", now_ms, number);
            due_ms[number] = 0;
            fired++;
        }
        for (uint64_t i = 0; i < TIMERS; i++)
            if (due_ms[i] && due_ms[i] + LATE_MS_MAX < now_ms) complain("too late", now_ms, i);
    }
    printf("fired %llu, slept %llu\n", (unsigned long long)fired, (unsigned long long)slept);
    return fired > STEPS / 10 && slept > STEPS / 10 ? 0 : 1;
}
