/* Pipes for splice(2): one for every direction that is blocked, and a few kept ready. */
#ifndef WAYPOST_PIPES_H
#define WAYPOST_PIPES_H

#include <stdbool.h>
#include <stdint.h>

/* Ours: the more one call moves, the fewer acknowledgements go back (256 KB costs up to 40 % more on a busy machine). */
#define PIPE_BYTES (1024 * 1024)
/* Ours: how many empty ones a thread keeps. */
#define PIPES_KEPT_MAX 16
/* Ours: how many of a thread's readers may hold a full pipe back in the kernel; who blocks after them has 64 KB of memory. */
#define PIPES_LENT_MAX 256

struct pipe_ends {
    int read, write;
};

struct pipes {
    struct pipe_ends kept[PIPES_KEPT_MAX];
    uint32_t count, lent;
};

/* False when there is none to be had. The caller copies then. */
bool pipes_take(struct pipes *pipes, struct pipe_ends *ends);
/* `empty`: it may be used for another connection. */
void pipes_give_back(struct pipes *pipes, struct pipe_ends ends, bool empty);
void pipes_close(struct pipes *pipes);

#endif
