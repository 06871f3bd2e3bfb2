/** What the shell is told at the end. Nothing else in Waypost chooses an exit code. */
export const EXIT = {
  fine: 0,
  /** It was tried and did not work; for `check`: a promise is broken. */
  failed: 1,
  /** The command line itself was wrong. */
  usage: 2,
  /** sysexits.h EX_CONFIG: the configuration has to be changed first; a service manager need not try again. */
  configuration: 78,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
