#include "meter.h"

#include <stdlib.h>

#include "bytes.h"
#include "connection.h"
#include "loop.h"

static double burst_bytes(const struct bucket *bucket);
static void fill(struct bucket *bucket, uint64_t now_ms);
static void stand_in_line(struct loop *loop, struct connection *connection);
static void step_out(struct share *share, struct connection *connection);
static void serve(struct loop *loop, struct share *share);

struct meter *meter_make(uint32_t threads) {
    struct meter *meter = aligned_alloc(_Alignof(struct share), sizeof *meter + threads * sizeof *meter->shares);
    if (!meter) return NULL;
    memset(meter, 0, sizeof *meter + threads * sizeof *meter->shares);
    pthread_mutex_init(&meter->bucket.mutex, NULL);
    meter->share_count = threads;
    for (uint32_t i = 0; i < threads; i++) meter->shares[i].meter = meter;
    return meter;
}

void meter_free(struct meter *meter) {
    pthread_mutex_destroy(&meter->bucket.mutex);
    free(meter);
}

void meter_limit(struct meter *meter, uint64_t bytes_per_second, uint64_t now_ms) {
    struct bucket *bucket = &meter->bucket;
    pthread_mutex_lock(&bucket->mutex);
    fill(bucket, now_ms); /* what has passed until now was under the rate before */
    bool begins = atomic_exchange(&bucket->bytes_per_second, bytes_per_second) == 0;
    if (begins) bucket->bytes = burst_bytes(bucket);
    pthread_mutex_unlock(&bucket->mutex);
}

void meter_read(const struct meter *meter, uint64_t *connections, uint64_t *to_backend, uint64_t *to_visitor) {
    *connections = *to_backend = *to_visitor = 0;
    for (uint32_t i = 0; i < meter->share_count; i++) {
        const struct share *share = &meter->shares[i];
        *connections += atomic_load_explicit(&share->connections, memory_order_relaxed);
        *to_backend += atomic_load_explicit(&share->to_backend, memory_order_relaxed);
        *to_visitor += atomic_load_explicit(&share->to_visitor, memory_order_relaxed);
    }
}

static double burst_bytes(const struct bucket *bucket) {
    return (double)atomic_load_explicit(&bucket->bytes_per_second, memory_order_relaxed) * BURST_MS / 1000;
}

/* With the mutex held. */
static void fill(struct bucket *bucket, uint64_t now_ms) {
    if (now_ms <= bucket->filled_ms) return; /* another thread's clock is a little ahead */
    double full = burst_bytes(bucket);
    bucket->bytes += full / BURST_MS * (double)(now_ms - bucket->filled_ms);
    if (bucket->bytes > full) bucket->bytes = full;
    bucket->filled_ms = now_ms;
}

uint32_t bucket_take(struct bucket *bucket, uint64_t now_ms, uint32_t want) {
    pthread_mutex_lock(&bucket->mutex);
    fill(bucket, now_ms);
    double least = burst_bytes(bucket) < GRANT_BYTES_MIN ? burst_bytes(bucket) : GRANT_BYTES_MIN;
    double granted = want > least ? want : least;
    if (granted > bucket->bytes) granted = bucket->bytes;
    if (granted < least) granted = 0;
    granted = (uint32_t)granted;
    bucket->bytes -= granted;
    pthread_mutex_unlock(&bucket->mutex);
    return (uint32_t)granted;
}

void bucket_give_back(struct bucket *bucket, double bytes) {
    if (bytes == 0) return;
    pthread_mutex_lock(&bucket->mutex);
    bucket->bytes += bytes;
    pthread_mutex_unlock(&bucket->mutex);
}

/* What each of those who wait would have, in all threads. */
static uint32_t each_bytes(struct bucket *bucket, uint64_t now_ms) {
    uint32_t waiting = atomic_load_explicit(&bucket->waiting, memory_order_relaxed);
    pthread_mutex_lock(&bucket->mutex);
    fill(bucket, now_ms);
    double each = bucket->bytes / (waiting > 0 ? waiting : 1);
    pthread_mutex_unlock(&bucket->mutex);
    return each > 0 ? (uint32_t)(each < UINT32_MAX ? each : UINT32_MAX) : 0;
}

void share_enter(struct share *share, uint64_t first_bytes) {
    uint64_t before = atomic_load_explicit(&share->connections, memory_order_relaxed);
    atomic_store_explicit(&share->connections, before + 1, memory_order_relaxed);
    if (share_has_rate(share)) bucket_give_back(&share->meter->bucket, -(double)first_bytes);
}

void share_leave(struct share *share, struct connection *connection) {
    uint64_t before = atomic_load_explicit(&share->connections, memory_order_relaxed);
    atomic_store_explicit(&share->connections, before - 1, memory_order_relaxed);
    if (connection->waits) step_out(share, connection);
}

uint32_t share_grant(struct loop *loop, struct connection *connection) {
    struct share *share = connection->share;
    uint32_t granted = connection->granted;
    connection->granted = 0;
    /* Nobody overtakes those who wait. */
    if (granted > 0 || connection->waits || share->waiting > 0) return granted;
    return bucket_take(&share->meter->bucket, loop->now_ms, UINT32_MAX);
}

void share_settle(struct loop *loop, struct connection *connection, uint32_t unused, bool wants_more) {
    bucket_give_back(&connection->share->meter->bucket, unused);
    if (wants_more && !connection->waits) stand_in_line(loop, connection);
}

static void stand_in_line(struct loop *loop, struct connection *connection) {
    struct share *share = connection->share;
    connection->waits = true;
    connection->before = share->last;
    connection->behind = NULL;
    if (share->last) share->last->behind = connection;
    else share->first = connection;
    share->last = connection;
    share->waiting++;
    atomic_fetch_add_explicit(&share->meter->bucket.waiting, 1, memory_order_relaxed);
    if (share->listed) return;
    share->listed = true;
    share->next = loop->held_back;
    loop->held_back = share;
    if (!loop->refill.link) wheel_set(&loop->wheel, &loop->refill, loop->now_ms + WHEEL_TICK_MS);
}

static void step_out(struct share *share, struct connection *connection) {
    connection->waits = false;
    if (connection->before) connection->before->behind = connection->behind;
    else share->first = connection->behind;
    if (connection->behind) connection->behind->before = connection->before;
    else share->last = connection->before;
    share->waiting--;
    atomic_fetch_sub_explicit(&share->meter->bucket.waiting, 1, memory_order_relaxed);
}

void shares_refill(struct loop *loop) {
    struct share *share = loop->held_back;
    loop->held_back = NULL;
    for (struct share *next; share; share = next) {
        next = share->next;
        share->listed = false;
        serve(loop, share);
        if (share->waiting == 0 || share->listed) continue;
        share->listed = true;
        share->next = loop->held_back;
        loop->held_back = share;
    }
    if (loop->held_back) wheel_set(&loop->wheel, &loop->refill, loop->now_ms + WHEEL_TICK_MS);
}

/* Everybody in line once at most, and each the same: who wants more goes to the end. */
static void serve(struct loop *loop, struct share *share) {
    struct bucket *bucket = &share->meter->bucket;
    uint32_t each = each_bytes(bucket, loop->now_ms);
    for (uint32_t turns = share->waiting; turns > 0 && share->first; turns--) {
        struct connection *connection = share->first;
        bool limited = share_has_rate(share);
        uint32_t granted = limited ? bucket_take(bucket, loop->now_ms, each) : 0;
        if (limited && granted == 0) return;
        step_out(share, connection);
        connection->granted = granted;
        connection_go_on(loop, connection);
    }
}
