/* The life of the engine: its threads, its listeners, the commands it is sent, and its end. */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "addon.h"
#include "address.h"
#include "thread.h"

#define THREADS_MAX 64
/* Ours: descriptors that connections leave to the rest of the process: files, names to resolve, pipes. */
#define DESCRIPTORS_LEFT_FREE 8

static void stop_at_teardown(void *engine);
static void disown(napi_env env, void *engine, void *hint);
static void disown_call(napi_env env, void *data, void *engine);

static int open_descriptors(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) return 0;
    while (readdir(folder)) count++;
    closedir(folder);
    return count - 3; /* `.`, `..` and the folder itself */
}

/* open(threads, exchange: Uint8Array, events: (bytes) => void): External. Throws where threads cannot be had. */
napi_value open_engine(napi_env env, napi_callback_info info) {
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
napi_value listen_on(napi_env env, napi_callback_info info) {
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
napi_value post(napi_env env, napi_callback_info info) {
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
napi_value hold(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX];
    arguments(env, info, given);
    const struct engine *engine = engine_of(env, given[0]);
    if (number(env, given[1])) MUST(napi_ref_threadsafe_function(env, engine->call));
    else MUST(napi_unref_threadsafe_function(env, engine->call));
    return NULL;
}

/* join(engine): after every thread has said that it is gone. */
napi_value join(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX];
    arguments(env, info, given);
    struct engine *engine = engine_of(env, given[0]);
    for (uint32_t i = 0; i < engine->loop_count; i++) thread_join(engine->loops[i]);
    engine->running = false;
    MUST(napi_remove_env_cleanup_hook(env, stop_at_teardown, engine));
    MUST(napi_release_threadsafe_function(engine->call, napi_tsfn_release));
    return NULL;
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
