#include "deciding.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "connecting.h"
#include "ending.h"
#include "fatal.h"
#include "loop.h"

/* Ours: what is read before anybody could decide; more waits in the kernel. Far above every ClientHello and PROXY header. */
#define RECEIVED_BYTES_MAX (64 * 1024)

void deciding_go_on(struct loop *loop, struct connection *connection) {
    struct flow *flow = &connection->to_backend;
    if (connection->visitor_broke) return ending_cut(loop, connection, HOW_UNDECIDED);
    if (connection->asked) return; /* what comes meanwhile stays in the kernel */
    bool news = false;
    while (flow->readable && !flow->source_ended && flow->left < RECEIVED_BYTES_MAX) {
        size_t room = RECEIVED_BYTES_MAX - flow->left;
        ssize_t count = recv(connection->visitor, loop->mover.copy, room, MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN) return ending_cut(loop, connection, HOW_UNDECIDED);
        if (count > 0) flow_keep(flow, loop->mover.copy, (size_t)count);
        if (count == 0) flow->source_ended = true;
        if (count < 0) flow->readable = false;
        if (count > 0) flow_read(flow, (size_t)count < room);
        news |= count >= 0;
    }
    if (news) deciding_ask(loop, connection);
}

void deciding_ask(struct loop *loop, struct connection *connection) {
    const struct flow *flow = &connection->to_backend;
    uint8_t *record = connection_tell(loop, connection, EVENT_ASKED, flow->left);
    record[5] = flow->source_ended;
    if (flow->left > 0) memcpy(record + EVENT_DETAILS, flow->at, flow->left);
    connection->asked = true;
}

void deciding_follow(struct loop *loop, struct connection *connection, const uint8_t *record) {
    uint32_t length = read_u32(record);
    connection->asked = false;
    switch ((enum command)record[4]) {
    case COMMAND_WAIT:
        if (connection->to_backend.source_ended) return ending_close(loop, connection, HOW_UNDECIDED);
        return deciding_go_on(loop, connection);
    case COMMAND_CARRY: return connecting_begin(loop, connection, record);
    case COMMAND_ANSWER:
        return ending_answer(loop, connection, record + RECORD_HEAD_BYTES, length - RECORD_HEAD_BYTES, HOW_ANSWERED);
    case COMMAND_RESET: return ending_cut(loop, connection, HOW_RESET_BY_US);
    case COMMAND_ADOPT: return ending_adopt(loop, connection, read_u32(record + 16));
    default: fatal("a command about a connection that there is not");
    }
}
