#define _GNU_SOURCE
#include "notify.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* unix(7): an abstract name begins with a zero byte, and its length is that of the address. */
int notify_send(const char *path, size_t path_length, const char *text, size_t text_length) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path_length < 2 || path_length >= sizeof to.sun_path) return ENAMETOOLONG;
    memcpy(to.sun_path, path, path_length);
    if (path[0] == '@') to.sun_path[0] = '\0';
    else if (path[0] != '/') return EAFNOSUPPORT;
    int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sender < 0) return errno;
    socklen_t to_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length);
    ssize_t sent = sendto(sender, text, text_length, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to, to_length);
    int failed = sent < 0 ? errno : 0;
    close(sender);
    return failed;
}
