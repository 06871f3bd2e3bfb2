/*
 * What JavaScript sees of the engine (Node-API): open it, listen, post batches of commands, be called with batches of
 * events. src/net/native/addon.ts describes it in types and is its only caller.
 */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include "addon.h"

#include <errno.h>
#include <fcntl.h>

#include "notify.h"

static napi_value duplicate(napi_env env, napi_callback_info info);
static napi_value notify(napi_env env, napi_callback_info info);

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

void arguments(napi_env env, napi_callback_info info, napi_value into[ARGUMENTS_MAX]) {
    size_t count = ARGUMENTS_MAX;
    MUST(napi_get_cb_info(env, info, &count, into, NULL, NULL));
}

uint32_t number(napi_env env, napi_value value) {
    uint32_t number;
    MUST(napi_get_value_uint32(env, value, &number));
    return number;
}

uint8_t *memory(napi_env env, napi_value value, size_t *length) {
    void *at;
    MUST(napi_get_typedarray_info(env, value, NULL, length, &at, NULL, NULL));
    return at;
}

struct engine *engine_of(napi_env env, napi_value value) {
    void *engine;
    MUST(napi_get_value_external(env, value, &engine));
    return engine;
}

double real(napi_env env, napi_value value) {
    double number;
    MUST(napi_get_value_double(env, value, &number));
    return number;
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
