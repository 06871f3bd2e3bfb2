/**
 * How the command line says that something went wrong: one sentence, the remedy, no stack. `WAYPOST_DEBUG=1` adds the
 * stack for whoever looks for a bug.
 */
import { isNativeError } from "node:util/types"
import { FaultError, type FaultCode } from "../faults/faults.ts"
import { EXIT, type ExitCode } from "./exit-code.ts"

export type Complaint = { readonly text: string; readonly exit: ExitCode }

/** The command line was wrong; `remedy` is what to type instead. */
export class UsageError extends Error {
  readonly remedy: string

  constructor(message: string, remedy: string) {
    super(message)
    this.name = "UsageError"
    this.remedy = remedy
  }
}

/** The configuration has faults, already in words with their places. */
export class ConfigurationError extends Error {
  constructor(faultLines: readonly string[]) {
    super(faultLines.join("\n"))
    this.name = "ConfigurationError"
  }
}

export function complaintOf(error: unknown): Complaint {
  const { text, exit } = withoutStack(error)
  const stack = process.env["WAYPOST_DEBUG"] && isNativeError(error) ? `\n${error.stack}` : ""
  return { text: `${text}${stack}`, exit }
}

function withoutStack(error: unknown): Complaint {
  if (error instanceof UsageError) return { text: `waypost: ${error.message}\n${error.remedy}`, exit: EXIT.usage }
  if (error instanceof ConfigurationError) return { text: error.message, exit: EXIT.configuration }
  if (error instanceof FaultError) return ofFault(error)
  if (isSystemError(error)) return { text: `waypost: ${systemSentence(error)}`, exit: EXIT.failed }
  const what = isNativeError(error) ? error.message : String(error)
  return {
    text: `waypost: this should not happen: ${what}\nRun it again with WAYPOST_DEBUG=1 to see where, and please report it.`,
    exit: EXIT.failed,
  }
}

/** These are cured by changing the configuration, so trying again is of no use. */
const CONFIGURATION_FAULTS: ReadonlySet<FaultCode> = new Set(["CONFIG_INVALID", "PROMISE_BROKEN"])

function ofFault({ fault }: FaultError): Complaint {
  return {
    text: `waypost: ${fault.detail}\n"waypost explain ${fault.code}" says more.`,
    exit: CONFIGURATION_FAULTS.has(fault.code) ? EXIT.configuration : EXIT.failed,
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return isNativeError(error) && "code" in error && "syscall" in error
}

const SYSTEM_SENTENCES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "this user may not do that",
  ENOTDIR: "a file is in the way of that folder",
  EISDIR: "that is a folder, not a file",
  ENOSPC: "the disk is full",
  EROFS: "the file system is read-only",
  EMFILE: "too many open files; raise the limit (ulimit -n)",
}

function systemSentence({ code = "", path, message }: NodeJS.ErrnoException): string {
  const sentence = SYSTEM_SENTENCES[code]
  return sentence ? `${path ? `${path}: ` : ""}${sentence}` : message
}
