#include "fatal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct sigaction before[NSIG];
static _Thread_local bool is_engine_thread;

void fatal(const char *what) {
    fprintf(stderr, "waypost: fault in the native engine: %s (%s); the process ends\n", what, strerror(errno));
    abort();
}

void fatal_names_this_thread(void) {
    is_engine_thread = true;
}

/* Only what is safe inside a signal handler: write(2), sigaction(2), raise(3). */
static void crashed(int number, siginfo_t *info, void *context) {
    static const char message[] = "waypost: fault in the native engine: a thread crashed; the process ends\n";
    const struct sigaction *earlier = &before[number];
    if (is_engine_thread) {
        ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
        (void)written;
    } else if (earlier->sa_flags & SA_SIGINFO) {
        earlier->sa_sigaction(number, info, context); /* Node's own: WebAssembly traps */
        return;
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void install(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = crashed;
    for (size_t i = 0; i < sizeof crash_signals / sizeof *crash_signals; i++)
        sigaction(crash_signals[i], &action, &before[crash_signals[i]]);
}

void fatal_watch_crashes(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}
