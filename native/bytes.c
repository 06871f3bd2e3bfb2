#include "bytes.h"

#include <stdlib.h>

#include "fatal.h"

#define ROOM_BYTES_MIN 4096

void *take_memory(void *before, size_t size) {
    void *taken = realloc(before, size);
    if (!taken && size > 0) fatal("no memory");
    return taken;
}

void *take_zeroed(size_t count, size_t size) {
    void *taken = calloc(count, size);
    if (!taken) fatal("no memory");
    return taken;
}

uint8_t *bytes_extend(struct bytes *bytes, uint32_t count) {
    uint32_t needed = bytes->length + count;
    if (needed < count) fatal("a message is too long");
    if (needed > bytes->room) {
        bytes->room = needed > bytes->room * 2 ? needed : bytes->room * 2;
        if (bytes->room < ROOM_BYTES_MIN) bytes->room = ROOM_BYTES_MIN;
        bytes->at = take_memory(bytes->at, bytes->room);
    }
    uint8_t *extended = bytes->at + bytes->length;
    bytes->length = needed;
    return extended;
}

void bytes_append(struct bytes *bytes, const void *from, uint32_t count) {
    if (count > 0) memcpy(bytes_extend(bytes, count), from, count);
}

void bytes_free(struct bytes *bytes) {
    free(bytes->at);
    *bytes = (struct bytes){0};
}
