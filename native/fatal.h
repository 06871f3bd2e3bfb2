/*
 * Faults of the engine itself. A thread that cannot go on must not leave the process half alive, with listeners that
 * accept and nobody behind them: the process ends and says why.
 */
#ifndef WAYPOST_FATAL_H
#define WAYPOST_FATAL_H

/* Says what failed, with errno, and aborts. */
_Noreturn void fatal(const char *what);

/* From here on a crash (SIGSEGV, SIGBUS, SIGFPE, SIGILL) of the calling thread says where it was before it ends the process. */
void fatal_names_this_thread(void);

/* Installs the handlers, once per process. Crashes of other threads go to whoever handled them before. */
void fatal_watch_crashes(void);

#endif
