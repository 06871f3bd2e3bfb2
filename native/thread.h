/*
 * A thread of the engine: in each turn it waits for its sockets, obeys TypeScript, lets connections and listeners go on,
 * looks at what has expired, and tells what has happened.
 */
#ifndef WAYPOST_THREAD_H
#define WAYPOST_THREAD_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* False: no descriptors or no thread, and errno says why. */
bool thread_start(struct loop *loop);
/* Called by the JavaScript thread: records for this one. */
void thread_post(struct loop *loop, const uint8_t *records, uint32_t count);
/* After COMMAND_CLOSE: waits for the thread and frees everything. */
void thread_join(struct loop *loop);

#endif
