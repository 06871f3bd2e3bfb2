/* What a service manager is told over its datagram socket, which Node cannot speak to. */
#pragma once
#include <stddef.h>

/* Sends `text` to the socket at `path`; an `@` in front means the abstract name space. 0, or an errno. Never waits. */
int notify_send(const char *path, size_t path_length, const char *text, size_t text_length);
