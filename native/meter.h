/*
 * Connections that are counted together and may share one rate: a friend's. Each thread counts for itself, and keeps those
 * in a queue that the rate holds back; the bucket of tokens is one for all threads. Without a rate nothing is held, and
 * counting is two additions for each turn in which something moved.
 */
#ifndef WAYPOST_METER_H
#define WAYPOST_METER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct connection;
struct loop;
struct meter;

/* Ours: what may pass at once after a pause, as time at the full rate. Well above the time between two refills. */
#define BURST_MS 500
/* Ours: what is worth a turn; less is left to become more. */
#define GRANT_BYTES_MIN (16 * 1024)

struct bucket {
    pthread_mutex_t mutex; /* of the two below */
    double bytes;          /* below 0: passed before it was paid for */
    uint64_t filled_ms;
    atomic_uint_least64_t bytes_per_second; /* both directions together; 0: no rate */
    atomic_uint waiting;                    /* connections, in all threads */
};

/* One thread's part of a meter. */
struct share {
    struct meter *meter;
    atomic_uint_least64_t to_backend, to_visitor, connections; /* written by this thread alone */
    struct connection *first, *last;                           /* held back, in the order in which they came */
    uint32_t waiting;
    bool listed;
    struct share *next; /* of those in which somebody waits */
} __attribute__((aligned(64)));

struct meter {
    struct bucket bucket;
    uint32_t share_count;
    struct share shares[];
};

struct meter *meter_make(uint32_t threads);
/* Nobody uses it any more. */
void meter_free(struct meter *meter);
/* Holds for running connections too. */
void meter_limit(struct meter *meter, uint64_t bytes_per_second, uint64_t now_ms);
/* Sums of all threads. */
void meter_read(const struct meter *meter, uint64_t *connections, uint64_t *to_backend, uint64_t *to_visitor);

/* Up to `want` bytes that may pass now; 0: not yet. */
uint32_t bucket_take(struct bucket *bucket, uint64_t now_ms, uint32_t want);
/* What was granted and did not pass; below 0: what passed and was not granted. */
void bucket_give_back(struct bucket *bucket, double bytes);

static inline void share_count(struct share *share, uint64_t to_backend, uint64_t to_visitor) {
    uint64_t up = atomic_load_explicit(&share->to_backend, memory_order_relaxed);
    uint64_t down = atomic_load_explicit(&share->to_visitor, memory_order_relaxed);
    atomic_store_explicit(&share->to_backend, up + to_backend, memory_order_relaxed);
    atomic_store_explicit(&share->to_visitor, down + to_visitor, memory_order_relaxed);
}

static inline bool share_has_rate(const struct share *share) {
    return share && atomic_load_explicit(&share->meter->bucket.bytes_per_second, memory_order_relaxed) > 0;
}

/* A connection begins, with bytes that were read before and pass first. It leaves once. */
void share_enter(struct share *share, uint64_t first_bytes);
void share_leave(struct share *share, struct connection *connection);
/* What a connection may read in this turn; 0 while it waits. */
uint32_t share_grant(struct loop *loop, struct connection *connection);
/* The turn is over: `unused` goes back, and who wants more stands in line. */
void share_settle(struct loop *loop, struct connection *connection, uint32_t unused, bool wants_more);
/* The time for a refill has come. */
void shares_refill(struct loop *loop);

#endif
