/* The engine as Node-API holds it, and how its functions read what JavaScript gave them. */
#ifndef WAYPOST_ADDON_H
#define WAYPOST_ADDON_H

#include <node_api.h>
#include <pthread.h>

#include "bytes.h"
#include "fatal.h"
#include "loop.h"
#include "meter.h"

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

/* A failing call here is our own mistake, never a peer's doing. */
#define MUST(call) \
    do { \
        if ((call) != napi_ok) fatal(#call); \
    } while (0)

void arguments(napi_env env, napi_callback_info info, napi_value into[ARGUMENTS_MAX]);
uint32_t number(napi_env env, napi_value value);
double real(napi_env env, napi_value value);
uint8_t *memory(napi_env env, napi_value value, size_t *length);
struct engine *engine_of(napi_env env, napi_value value);

/* engine.c: a life of threads and listeners. */
napi_value open_engine(napi_env env, napi_callback_info info);
napi_value listen_on(napi_env env, napi_callback_info info);
napi_value post(napi_env env, napi_callback_info info);
napi_value hold(napi_env env, napi_callback_info info);
napi_value join(napi_env env, napi_callback_info info);

/* delivery.c: events, from the threads to JavaScript. */
void publish(void *engine, struct bytes *events);
void deliver(napi_env env, napi_value callback, void *engine, void *data);

/* metering.c: what JavaScript reads of meters, limits by them, and takes from them itself. */
napi_value make_meter(napi_env env, napi_callback_info info);
napi_value read_meter(napi_env env, napi_callback_info info);
napi_value limit_meter(napi_env env, napi_callback_info info);
napi_value take_tokens(napi_env env, napi_callback_info info);
napi_value give_back_tokens(napi_env env, napi_callback_info info);

#endif
