/* A connection while it is decided what becomes of it: what its visitor says is read until TypeScript knows enough. */
#ifndef WAYPOST_DECIDING_H
#define WAYPOST_DECIDING_H

#include "connection.h"

/* Reads what there is, and asks if it is news. */
void deciding_go_on(struct loop *loop, struct connection *connection);
void deciding_ask(struct loop *loop, struct connection *connection);
/* TypeScript's answer: a record of COMMAND_WAIT, _CARRY, _ANSWER, _RESET or _ADOPT. */
void deciding_follow(struct loop *loop, struct connection *connection, const uint8_t *record);

#endif
