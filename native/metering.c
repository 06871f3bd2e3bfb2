/* What JavaScript does with meters: make, read and limit them, and take from one for what it passes itself. */
#define NAPI_VERSION 8
#include "addon.h"

static struct meter *meter_of(napi_env env, const napi_value given[ARGUMENTS_MAX]) {
    struct engine *engine = engine_of(env, given[0]);
    uint32_t index = number(env, given[1]);
    if (index >= engine->meter_count) fatal("a meter that there is not");
    return engine->meters[index];
}

/* meter(engine): the index of a new one, or -1 where there is no room for more. */
napi_value make_meter(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX], index;
    arguments(env, info, given);
    struct engine *engine = engine_of(env, given[0]);
    struct meter *made = engine->meter_count < METERS_MAX ? meter_make(engine->loop_count) : NULL;
    MUST(napi_create_int32(env, made ? (int32_t)engine->meter_count : -1, &index));
    if (made) engine->meters[engine->meter_count++] = made; /* threads learn of it by a command, behind their mutex */
    return index;
}

/* read(engine, meter, into: Float64Array): connections, bytes to the backend, bytes to the visitor. */
napi_value read_meter(napi_env env, napi_callback_info info) {
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
napi_value limit_meter(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX];
    arguments(env, info, given);
    meter_limit(meter_of(env, given), (uint64_t)real(env, given[2]), monotonic_ms());
    return NULL;
}

/* take(engine, meter, want): bytes that JavaScript may pass under the same rate. */
napi_value take_tokens(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX], granted;
    arguments(env, info, given);
    struct meter *meter = meter_of(env, given);
    MUST(napi_create_uint32(env, bucket_take(&meter->bucket, monotonic_ms(), number(env, given[2])), &granted));
    return granted;
}

/* giveBack(engine, meter, bytes): what did not pass; below 0: what passed before it was granted. */
napi_value give_back_tokens(napi_env env, napi_callback_info info) {
    napi_value given[ARGUMENTS_MAX];
    arguments(env, info, given);
    bucket_give_back(&meter_of(env, given)->bucket, real(env, given[2]));
    return NULL;
}
