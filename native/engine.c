/*
 * What JavaScript sees of the engine (Node-API): open it, listen, post batches of commands, be called with batches of
 * events. src/net/native/addon.ts describes it in types and is its only caller.
 */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <node_api.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "address.h"
#include "fatal.h"
#include "loop.h"
#include "notify.h"
#include "thread.h"

#define THREADS_MAX 64
/* Ours: descriptors that connections leave to the rest of the process: files, names to resolve, pipes. */
#define DESCRIPTORS_LEFT_FREE 8
#define ARGUMENTS_MAX 6
#define METERS_MAX 65536

struct engine {
    uint32_t loop_count;
    struct loop **loops;
    struct descriptors descriptors;
    uint32_t meter_count;
    struct meter *meters[METERS_MAX];
    napi_env env;
    napi_threadsafe_function call;
    napi_ref exchange; /* keeps the memory below alive */
    uint8_t *exchange_at;
    size_t exchange_bytes;
    struct bytes delivered;
    pthread_mutex_t mutex; /* of `events` */
    struct bytes events;
    int owners; /* the JavaScript object and the thread-safe function: whoever goes last frees it */
    bool running;
};

static napi_value open_engine(napi_env env, napi_callback_info info);
static napi_value listen_on(napi_env env, napi_callback_info info);
static napi_value post(napi_env env, napi_callback_info info);
static napi_value hold(napi_env env, napi_callback_info info);
static napi_value make_meter(napi_env env, napi_callback_info info);
static napi_value read_meter(napi_env env, napi_callback_info info);
static napi_value limit_meter(napi_env env, napi_callback_info info);
static napi_value take_tokens(napi_env env, napi_callback_info info);
static napi_value give_back_tokens(napi_env env, napi_callback_info info);
static napi_value join(napi_env env, napi_callback_info info);
static napi_value duplicate(napi_env env, napi_callback_info info);
static napi_value notify(napi_env env, napi_callback_info info);
static void publish(void *to, struct bytes *events);
static void deliver(napi_env env, napi_value callback, void *context, void *data);
static void stop_at_teardown(void *engine);
static void disown(napi_env env, void *engine, void *hint);
static void disown_call(napi_env env, void *data, void *engine);

/* A failing call here is our own mistake, never a peer's doing. */
#define MUST(call) \
    do { \
        if ((call) != napi_ok) fatal(#call); \
    } while (0)

NAPI_MODULE_INIT() {
    static const struct {
        const char *name;
        napi_callback call;
    } functions[] = {{"open", open_engine}, {"listen", listen_on}, {"post", post}, {"hold", hold}, {"join", join},
                     {"duplicate", duplicate}, {"meter", make_meter}, {"read", read_meter}, {"limit", limit_meter}, {"take", take_tokens},
                     {"giveBack", give_back_tokens}, {"notify", notify}};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        napi_value function;
        MUST(napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function));
        MUST(napi_set_named_property(env, exports, functions[i].name, function));
    }
    fatal_watch_crashes();
    return exports;
}

static void arguments(napi_env env, napi_callback_info info, napi_value into[ARGUMENTS_MAX]) {
    size_t count = ARGUMENTS_MAX;
    MUST(napi_get_cb_info(env, info, &count, into, NULL, NULL));
}

static uint32_t number(napi_env env, napi_value value) {
    uint32_t number;
    MUST(napi_get_value_uint32(env, value, &number));
    return number;
}

static uint8_t *memory(napi_env env, napi_value value, size_t *length) {
    void *at;
    MUST(napi_get_typedarray_info(env, value, NULL, length, &at, NULL, NULL));
    return at;
}

static struct engine *engine_of(napi_env env, napi_value value) {
    void *engine;
    MUST(napi_get_value_external(env, value, &engine));
    return engine;
}

static int open_descriptors(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) return 0;
    while (readdir(folder)) count++;
    closedir(folder);
    return count - 3; /* `.`, `..` and the folder itself */
}

/* open(threads, exchange: Uint8Array, events: (bytes) => void): External. Throws where threads cannot be had. */
static napi_value open_engine(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX], name, opened;
    arguments(env, info, given);
    struct engine *engine = take_zeroed(1, sizeof *engine);
    engine->env = env;
    engine->owners = 2;
    engine->exchange_at = memory(env, given[1], &engine->exchange_bytes);
    pthread_mutex_init(&engine->mutex, NULL);
    MUST(napi_create_reference(env, given[1], 1, &engine->exchange));
    MUST(napi_create_string_utf8(env, "waypost-engine", NAPI_AUTO_LENGTH, &name));
    MUST(napi_create_threadsafe_function(
        env, given[2], NULL, name, 0, 1, NULL, disown_call, engine, deliver, &engine->call));
    MUST(napi_unref_threadsafe_function(env, engine->call));
    MUST(napi_add_env_cleanup_hook(env, stop_at_teardown, engine));
    MUST(napi_create_external(env, engine, disown, NULL, &opened));

    uint32_t threads = number(env, given[0]);
    engine->loops = take_zeroed(THREADS_MAX, sizeof *engine->loops);
    engine->running = true;
    for (uint32_t i = 0; i < threads && i < THREADS_MAX; i++) {
        struct loop *loop = engine->loops[i] = take_zeroed(1, sizeof *loop);
        *loop = (struct loop){.index = i, .descriptors = &engine->descriptors, .meters = engine->meters,
                               .publish = publish, .publish_to = engine};
        if (!thread_start(loop)) fatal("starting a thread");
        engine->loop_count++;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    atomic_store(&engine->descriptors.limit, (int)limit.rlim_cur - open_descriptors() - DESCRIPTORS_LEFT_FREE);
    return opened;
}

/* listen(engine, listener, address: Uint8Array, decideMs, asksAtAccept, descriptors: Int32Array): the port, or a negative errno. */
static napi_value listen_on(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX], result;
    arguments(env, info, given);
    struct engine *engine = engine_of(env, given[0]);
    size_t length, places;
    union address where;
    int *descriptors = (int *)(void *)memory(env, given[5], &places);
    if (places != engine->loop_count) fatal("a listener without a place for every thread");
    address_read(&where, memory(env, given[2], &length));
    int failed = listener_open(&where, descriptors, engine->loop_count);
    MUST(napi_create_int32(env, failed ? -failed : ntohs(where.v4.sin_port), &result)); /* v6 has it at the same place */
    if (failed) return result;
    atomic_fetch_sub(&engine->descriptors.limit, (int)engine->loop_count);
    for (uint32_t i = 0; i < engine->loop_count; i++) {
        uint8_t record[RECORD_HEAD_BYTES + 8] = {[4] = COMMAND_LISTEN, [5] = (uint8_t)number(env, given[4])};
        write_u32(record, sizeof record);
        write_u16(record + 6, (uint16_t)number(env, given[1]));
        write_u32(record + 16, (uint32_t)descriptors[i]);
        write_u32(record + 20, number(env, given[3]));
        thread_post(engine->loops[i], record, sizeof record);
    }
    return result;
}

/* post(engine, commands: Uint8Array, bytes) */
static napi_value post(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX];
    arguments(env, info, given);
    const struct engine *engine = engine_of(env, given[0]);
    size_t room;
    const uint8_t *records = memory(env, given[1], &room);
    uint32_t count = number(env, given[2]);
    for (uint32_t from = 0, to = 0; from < count; from = to) {
        uint32_t loop = read_u32(records + from + 8) >> SLOT_BITS;
        do to += read_u32(records + to);
        while (to < count && read_u32(records + to + 8) >> SLOT_BITS == loop);
        if (to > count || loop >= engine->loop_count) fatal("a batch of commands that is no batch");
        thread_post(engine->loops[loop], records + from, to - from);
    }
    return NULL;
}

/* hold(engine, 0 | 1): whether the engine keeps the process alive. */
static napi_value hold(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX];
    arguments(env, info, given);
    const struct engine *engine = engine_of(env, given[0]);
    if (number(env, given[1])) MUST(napi_ref_threadsafe_function(env, engine->call));
    else MUST(napi_unref_threadsafe_function(env, engine->call));
    return NULL;
}

/* join(engine): after every thread has said that it is gone. */
static napi_value join(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX];
    arguments(env, info, given);
    struct engine *engine = engine_of(env, given[0]);
    for (uint32_t i = 0; i < engine->loop_count; i++) thread_join(engine->loops[i]);
    engine->running = false;
    MUST(napi_remove_env_cleanup_hook(env, stop_at_teardown, engine));
    MUST(napi_release_threadsafe_function(engine->call, napi_tsfn_release));
    return NULL;
}

/* duplicate(descriptor): another one for the same socket, or a negative errno. */
static napi_value duplicate(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX], result;
    arguments(env, info, given);
    int copy = fcntl((int)number(env, given[0]), F_DUPFD_CLOEXEC, 0);
    MUST(napi_create_int32(env, copy < 0 ? -errno : copy, &result));
    return result;
}

/* notify(path, text): both as bytes; 0, or an errno. */
static napi_value notify(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX], result;
    arguments(env, info, given);
    size_t path_length, text_length;
    const char *path = (const char *)memory(env, given[0], &path_length);
    const char *text = (const char *)memory(env, given[1], &text_length);
    MUST(napi_create_int32(env, notify_send(path, path_length, text, text_length), &result));
    return result;
}

static double real(napi_env env, napi_value value) {
    double number;
    MUST(napi_get_value_double(env, value, &number));
    return number;
}

static struct meter *meter_of(napi_env env, const napi_value given[ARGUMENTS_MAX]) {
    struct engine *engine = engine_of(env, given[0]);
    uint32_t index = number(env, given[1]);
    if (index >= engine->meter_count) fatal("a meter that there is not");
    return engine->meters[index];
}

/* meter(engine): the index of a new one, or -1 where there is no room for more. */
static napi_value make_meter(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX], index;
    arguments(env, info, given);
    struct engine *engine = engine_of(env, given[0]);
    struct meter *made = engine->meter_count < METERS_MAX ? meter_make(engine->loop_count) : NULL;
    MUST(napi_create_int32(env, made ? (int32_t)engine->meter_count : -1, &index));
    if (made) engine->meters[engine->meter_count++] = made; /* threads learn of it by a command, behind their mutex */
    return index;
}

/* read(engine, meter, into: Float64Array): connections, bytes to the backend, bytes to the visitor. */
static napi_value read_meter(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX];
    arguments(env, info, given);
    uint64_t connections, to_backend, to_visitor;
    size_t length;
    uint8_t *into = memory(env, given[2], &length);
    meter_read(meter_of(env, given), &connections, &to_backend, &to_visitor);
    write_number(into, connections);
    write_number(into + 8, to_backend);
    write_number(into + 16, to_visitor);
    return NULL;
}

/* limit(engine, meter, bytesPerSecond): 0 ends the limit. */
static napi_value limit_meter(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX];
    arguments(env, info, given);
    meter_limit(meter_of(env, given), (uint64_t)real(env, given[2]), monotonic_ms());
    return NULL;
}

/* take(engine, meter, want): bytes that JavaScript may pass under the same rate. */
static napi_value take_tokens(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX], granted;
    arguments(env, info, given);
    struct meter *meter = meter_of(env, given);
    MUST(napi_create_uint32(env, bucket_take(&meter->bucket, monotonic_ms(), number(env, given[2])), &granted));
    return granted;
}

/* giveBack(engine, meter, bytes): what did not pass; below 0: what passed before it was granted. */
static napi_value give_back_tokens(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX];
    arguments(env, info, given);
    bucket_give_back(&meter_of(env, given)->bucket, real(env, given[2]));
    return NULL;
}

/* Called by the threads: one call into JavaScript is under way at most, and takes everything there is. */
static void publish(void *to, struct bytes *events) {
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

static void deliver(napi_env env, napi_value callback, void *context, void *data) {
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

/* The environment ends (a worker, or the process) and nobody has closed the engine. */
static void stop_at_teardown(void *argument) {
    struct engine *engine = argument;
    for (uint32_t i = 0; i < engine->loop_count; i++) {
        uint8_t record[RECORD_HEAD_BYTES] = {[4] = COMMAND_CLOSE};
        write_u32(record, sizeof record);
        thread_post(engine->loops[i], record, sizeof record);
        thread_join(engine->loops[i]);
    }
    engine->running = false;
    MUST(napi_release_threadsafe_function(engine->call, napi_tsfn_release)); /* or Node keeps it for good */
}

static void disown(napi_env env, void *argument, void *hint) {
    (void)hint;
    struct engine *engine = argument;
    if (--engine->owners > 0) return;
    if (engine->running) fatal("the engine was forgotten while it ran");
    napi_delete_reference(env, engine->exchange);
    for (uint32_t i = 0; i < engine->loop_count; i++) free(engine->loops[i]);
    free(engine->loops);
    for (uint32_t i = 0; i < engine->meter_count; i++) meter_free(engine->meters[i]);
    bytes_free(&engine->events);
    bytes_free(&engine->delivered);
    pthread_mutex_destroy(&engine->mutex);
    free(engine);
}

static void disown_call(napi_env env, void *data, void *engine) {
    (void)data;
    disown(env, engine, NULL);
}
