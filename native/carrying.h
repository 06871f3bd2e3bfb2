/* A connection that is carried: both of its directions move until both have ended. */
#ifndef WAYPOST_CARRYING_H
#define WAYPOST_CARRYING_H

#include "connection.h"

/* There is a backend, and `idle_ms` is known. */
void carrying_begin(struct loop *loop, struct connection *connection);
/* Both directions, each as far as it goes. */
void carrying_go_on(struct loop *loop, struct connection *connection);
/* Nothing may have moved for too long. */
void carrying_expired(struct loop *loop, struct connection *connection);

#endif
