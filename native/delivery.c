/* Events on their way from the engine's threads to JavaScript. */
#define NAPI_VERSION 8
#include "addon.h"

/* Called by the threads: one call into JavaScript is under way at most, and takes everything there is. */
void publish(void *to, struct bytes *events) {
    struct engine *engine = to;
    pthread_mutex_lock(&engine->mutex);
    bool was_empty = engine->events.length == 0;
    if (was_empty) {
        struct bytes empty = engine->events;
        engine->events = *events;
        *events = empty;
    } else {
        bytes_append(&engine->events, events->at, events->length);
        events->length = 0;
    }
    pthread_mutex_unlock(&engine->mutex);
    if (was_empty) napi_call_threadsafe_function(engine->call, NULL, napi_tsfn_nonblocking);
}

/* How many bytes of whole records, from `at` on, the exchange has room for. */
static uint32_t portion(const struct engine *engine, const struct bytes *events, uint32_t at) {
    uint32_t count = 0;
    while (at + count < events->length) {
        uint32_t record = read_u32(events->at + at + count);
        if (count + record > engine->exchange_bytes) break;
        count += record;
    }
    if (count == 0) fatal("an event larger than the exchange");
    return count;
}

void deliver(napi_env env, napi_value callback, void *context, void *data) {
    (void)data;
    struct engine *engine = context;
    pthread_mutex_lock(&engine->mutex);
    struct bytes events = engine->events;
    engine->events = engine->delivered;
    engine->events.length = 0;
    pthread_mutex_unlock(&engine->mutex);
    for (uint32_t at = 0, count; env && at < events.length; at += count) {
        napi_value nothing, bytes, thrown;
        count = portion(engine, &events, at);
        memcpy(engine->exchange_at, events.at + at, count);
        MUST(napi_get_undefined(env, &nothing));
        MUST(napi_create_uint32(env, count, &bytes));
        if (napi_call_function(env, nothing, callback, 1, &bytes, NULL) == napi_ok) continue;
        if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) napi_fatal_exception(env, thrown);
    }
    engine->delivered = events; /* its memory is used again */
}
