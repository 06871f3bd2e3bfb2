/* A connection while a backend is looked for: one address after the other, until one accepts. */
#ifndef WAYPOST_CONNECTING_H
#define WAYPOST_CONNECTING_H

#include "connection.h"

/* COMMAND_CARRY. */
void connecting_begin(struct loop *loop, struct connection *connection, const uint8_t *record);
/* Either end has news. */
void connecting_go_on(struct loop *loop, struct connection *connection);
/* The time of this address is over, or a descriptor may be had now. */
void connecting_expired(struct loop *loop, struct connection *connection);

#endif
