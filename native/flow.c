#define _GNU_SOURCE
#include "flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "bytes.h"

static ssize_t copy_in(struct flow *flow, int source, struct mover *mover, size_t room);
static ssize_t splice_in(struct flow *flow, int source, struct mover *mover, size_t room);
static void own_what_is_left(struct flow *flow);
static void release_memory(struct flow *flow);
static void release_pipe(struct flow *flow, struct mover *mover);

enum standing flow_move(struct flow *flow, int source, int destination, struct mover *mover, uint32_t *allowed) {
    int64_t turn = TURN_BYTES_MAX;
    for (;;) {
        enum standing standing = flow_deliver(flow, destination, mover);
        if (standing != FLOW_AWAITS_SOURCE) return standing;
        if (flow->source_ended) return FLOW_DELIVERED;
        if (!flow->readable) return FLOW_AWAITS_SOURCE;
        if (turn <= 0) return FLOW_HAS_MORE;
        size_t room = allowed ? *allowed : SIZE_MAX;
        if (room == 0) return FLOW_AWAITS_GRANT;
        ssize_t count = flow->splicing ? splice_in(flow, source, mover, room) : copy_in(flow, source, mover, room);
        if (count > 0) {
            turn -= count;
            if (allowed) *allowed -= (uint32_t)count;
            continue;
        }
        if (count == 0) flow->source_ended = true;
        else if (errno == EAGAIN) flow->readable = false;
        else if (errno == EINVAL && flow->splicing) flow->splicing = false; /* not a socket that splices */
        else return FLOW_SOURCE_BROKE;
    }
}

enum standing flow_deliver(struct flow *flow, int destination, struct mover *mover) {
    int more = flow->source_ended ? MSG_MORE : 0; /* FIN follows at once, and goes out in the same segment */
    while (flow->left > 0 || flow->piped > 0) {
        if (!flow->writable) {
            own_what_is_left(flow);
            return FLOW_AWAITS_DESTINATION;
        }
        ssize_t sent = flow->left > 0
                           ? send(destination, flow->at, flow->left, MSG_NOSIGNAL | MSG_DONTWAIT | more)
                           : splice(flow->pipe.read, NULL, destination, NULL, flow->piped, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (sent <= 0) {
            if (sent == 0 || errno != EAGAIN) return FLOW_DESTINATION_BROKE;
            flow->writable = false;
            continue;
        }
        flow->moved += (uint64_t)sent;
        if (flow->left > 0) {
            flow->at += sent;
            flow->left -= (uint32_t)sent;
            flow->writable = flow->left == 0; /* a short send means full; a short splice does not: it counts slots */
        } else {
            flow->piped -= (uint32_t)sent;
        }
    }
    release_memory(flow);
    release_pipe(flow, mover);
    return FLOW_AWAITS_SOURCE;
}

static ssize_t copy_in(struct flow *flow, int source, struct mover *mover, size_t room) {
    if (room > COPY_BYTES) room = COPY_BYTES;
    ssize_t count = recv(source, mover->copy, room, MSG_DONTWAIT);
    if (count <= 0) return count;
    flow->at = mover->copy;
    flow->left = (uint32_t)count;
    flow->splicing = count == COPY_BYTES;
    flow->small_pieces = 0;
    flow_read(flow, (size_t)count < room);
    return count;
}

static ssize_t splice_in(struct flow *flow, int source, struct mover *mover, size_t room) {
    if (!flow->has_pipe && !pipes_take(&mover->pipes, &flow->pipe)) {
        flow->splicing = false;
        return copy_in(flow, source, mover, room);
    }
    flow->has_pipe = true;
    if (room > PIPE_BYTES) room = PIPE_BYTES;
    ssize_t count = splice(source, NULL, flow->pipe.write, NULL, room, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (count <= 0) {
        int why = errno;
        release_pipe(flow, mover);
        errno = why;
        return count;
    }
    flow->piped = (uint32_t)count;
    mover->spliced_bytes += (uint64_t)count;
    mover->spliced_pieces++;
    if (count >= SMALL_PIECE_BYTES) flow->small_pieces = 0;
    else if (++flow->small_pieces >= SMALL_PIECES_MAX) flow->splicing = false;
    return count;
}

void flow_read(struct flow *flow, bool was_short) {
    if (!was_short || flow->urgent) return;
    flow->readable = false;
    flow->source_ended = flow->hung_up;
}

/* The smallest power of two that holds `count`: what memory for kept bytes is taken in. */
static size_t room_for(size_t count) {
    size_t room = 512;
    while (room < count) room *= 2;
    return room;
}

void flow_keep(struct flow *flow, const uint8_t *bytes, size_t count) {
    if (count == 0) return;
    size_t kept = flow->left;
    if (!flow->own || room_for(kept + count) > room_for(kept)) flow->own = take_memory(flow->own, room_for(kept + count));
    memcpy(flow->own + kept, bytes, count);
    flow->at = flow->own;
    flow->left = (uint32_t)(kept + count);
}

static void own_what_is_left(struct flow *flow) {
    if (flow->own || flow->left == 0) return;
    flow->own = take_memory(NULL, flow->left);
    memcpy(flow->own, flow->at, flow->left);
    flow->at = flow->own;
}

static void release_memory(struct flow *flow) {
    free(flow->own);
    flow->own = NULL;
    flow->at = NULL;
    flow->left = 0;
}

static void release_pipe(struct flow *flow, struct mover *mover) {
    if (!flow->has_pipe) return;
    pipes_give_back(&mover->pipes, flow->pipe, flow->piped == 0);
    flow->has_pipe = false;
    flow->piped = 0;
}

void flow_release(struct flow *flow, struct mover *mover) {
    release_memory(flow);
    release_pipe(flow, mover);
}
