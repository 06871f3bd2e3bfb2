#define _GNU_SOURCE
#include "pipes.h"

#include <fcntl.h>
#include <unistd.h>

bool pipes_take(struct pipes *pipes, struct pipe_ends *ends) {
    if (pipes->lent == PIPES_LENT_MAX) return false;
    if (pipes->count > 0) {
        *ends = pipes->kept[--pipes->count];
    } else {
        int made[2];
        if (pipe2(made, O_NONBLOCK | O_CLOEXEC) < 0) return false;
        /* Fails above the user's share (pipe-user-pages-soft); a smaller pipe only costs more calls. */
        fcntl(made[1], F_SETPIPE_SZ, PIPE_BYTES);
        *ends = (struct pipe_ends){.read = made[0], .write = made[1]};
    }
    pipes->lent++;
    return true;
}

void pipes_give_back(struct pipes *pipes, struct pipe_ends ends, bool empty) {
    pipes->lent--;
    if (empty && pipes->count < PIPES_KEPT_MAX) {
        pipes->kept[pipes->count++] = ends;
        return;
    }
    close(ends.read);
    close(ends.write);
}

void pipes_close(struct pipes *pipes) {
    while (pipes->count > 0) {
        struct pipe_ends ends = pipes->kept[--pipes->count];
        close(ends.read);
        close(ends.write);
    }
}
