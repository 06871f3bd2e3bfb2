/* A run of bytes that grows: what travels between the threads. */
#ifndef WAYPOST_BYTES_H
#define WAYPOST_BYTES_H

#include <stdint.h>
#include <string.h>

struct bytes {
    uint8_t *at;
    uint32_t length, room;
};

/* Appends `count` bytes that the caller fills in; the pointer holds until the next call. */
uint8_t *bytes_extend(struct bytes *bytes, uint32_t count);
void bytes_append(struct bytes *bytes, const void *from, uint32_t count);
void bytes_free(struct bytes *bytes);

/* Like malloc, calloc and realloc, but the process ends where they would fail. */
void *take_memory(void *before, size_t size);
void *take_zeroed(size_t count, size_t size);

/* The wire has the byte order of the machine: both ends are this process. */
static inline uint16_t read_u16(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint32_t read_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline void write_u16(uint8_t *at, uint16_t value) {
    memcpy(at, &value, sizeof value);
}

static inline void write_u32(uint8_t *at, uint32_t value) {
    memcpy(at, &value, sizeof value);
}

/* As JavaScript reads numbers; exact up to 2^53. */
static inline void write_number(uint8_t *at, uint64_t value) {
    double number = (double)value;
    memcpy(at, &number, sizeof number);
}

#endif
