/*
 * An IP address and port, for system calls and on the wire to TypeScript, where it is always the 16 bytes of an IPv6
 * address (IPv4 as ::ffff:a.b.c.d, RFC 4291 §2.5.5.2) and the port in network byte order.
 */
#ifndef WAYPOST_ADDRESS_H
#define WAYPOST_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_WIRE_BYTES 18

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

void address_read(union address *address, const uint8_t wire[ADDRESS_WIRE_BYTES]);
void address_write(const union address *address, uint8_t wire[ADDRESS_WIRE_BYTES]);
socklen_t address_length(const union address *address);
/* 0.0.0.0 or :: */
bool address_is_any(const union address *address);

#endif
