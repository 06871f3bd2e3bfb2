#include "address.h"

#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void address_read(union address *address, const uint8_t wire[ADDRESS_WIRE_BYTES]) {
    memset(address, 0, sizeof *address);
    if (memcmp(wire, mapped_prefix, sizeof mapped_prefix) == 0) {
        address->v4.sin_family = AF_INET;
        memcpy(&address->v4.sin_addr, wire + 12, 4);
        memcpy(&address->v4.sin_port, wire + 16, 2);
    } else {
        address->v6.sin6_family = AF_INET6;
        memcpy(&address->v6.sin6_addr, wire, 16);
        memcpy(&address->v6.sin6_port, wire + 16, 2);
    }
}

void address_write(const union address *address, uint8_t wire[ADDRESS_WIRE_BYTES]) {
    if (address->any.sa_family == AF_INET6) {
        memcpy(wire, &address->v6.sin6_addr, 16);
        memcpy(wire + 16, &address->v6.sin6_port, 2);
    } else {
        memcpy(wire, mapped_prefix, sizeof mapped_prefix);
        memcpy(wire + 12, &address->v4.sin_addr, 4);
        memcpy(wire + 16, &address->v4.sin_port, 2);
    }
}

socklen_t address_length(const union address *address) {
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

bool address_is_any(const union address *address) {
    if (address->any.sa_family == AF_INET6) return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
    return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
}
