/* Pipes for splice(2): one for every direction that is blocked, and a few kept ready. */
#ifndef WAYPOST_PIPES_H
#define WAYPOST_PIPES_H

#include <stdbool.h>
#include <stdint.h>

/* Ours: what a stopped reader may hold back in the kernel, beyond its socket's buffer. 64 KB has only 16 slots: slower. */
#define PIPE_BYTES (256 * 1024)
/* Ours: how many empty ones a thread keeps. */
#define PIPES_KEPT_MAX 16

struct pipe_ends {
    int read, write;
};

struct pipes {
    struct pipe_ends kept[PIPES_KEPT_MAX];
    uint32_t count;
};

/* False when there is none to be had: no descriptors. The caller copies then. */
bool pipes_take(struct pipes *pipes, struct pipe_ends *ends);
/* `empty`: it may be used for another connection. */
void pipes_give_back(struct pipes *pipes, struct pipe_ends ends, bool empty);
void pipes_close(struct pipes *pipes);

#endif
