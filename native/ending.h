/* How a connection ends: with an answer, in the hands of JavaScript, with an end that both see, or with a reset. */
#ifndef WAYPOST_ENDING_H
#define WAYPOST_ENDING_H

#include "connection.h"

/* Says the last words to the visitor, and waits until he has closed. */
void ending_answer(struct loop *loop, struct connection *connection, const uint8_t *bytes, uint32_t count, enum how how);
/* Answered: says the rest of it, then listens until the visitor has closed. */
void ending_go_on(struct loop *loop, struct connection *connection);
/* Hands the visitor's descriptor to JavaScript, with what was read already but the first `skip` bytes. */
void ending_adopt(struct loop *loop, struct connection *connection, uint32_t skip);
void ending_close(struct loop *loop, struct connection *connection, enum how how);
/* Both sides see a reset: neither may take it for the end of what there was to say. */
void ending_cut(struct loop *loop, struct connection *connection, enum how how);

#endif
