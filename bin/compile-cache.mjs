// Keeps what Node has compiled for the next start, which then takes little more than half the processor time. Whoever can write to
// that folder decides what this program does, so it is used only if nobody else can. Where there is none, or none that is safe,
// the program starts as it did the first time, and nothing is said. JavaScript, because for the first file in TypeScript Node
// loads what strips types, which costs more than all the rest of this.
import { lstatSync, mkdirSync, realpathSync } from "node:fs"
import module from "node:module"
import { userInfo } from "node:os"
import { dirname, join } from "node:path"

/** Before anything else is loaded. Adds NODE_COMPILE_CACHE to the environment, for threads; what that says already goes before. */
export function keepCompiled(environment) {
  if (environment.NODE_COMPILE_CACHE !== undefined) return
  const folder = safeFolder(environment)
  if (folder === undefined) return
  module.enableCompileCache(folder)
  environment.NODE_COMPILE_CACHE = folder
}

/** Made if there is none; as sshd has it for keys (StrictModes), only we and root can change it, or a folder above it. */
function safeFolder(environment) {
  try {
    const wanted = join(cachesOf(environment), "compiled")
    mkdirSync(wanted, { recursive: true, mode: 0o700 })
    const folder = realpathSync(wanted)
    return lstatSync(folder).uid === process.getuid() && pathTo(folder).every(isSafe) ? folder : undefined
  } catch {
    return undefined
  }
}

/** systemd.exec(5), CacheDirectory=; the XDG Base Directory Specification for people. Throws where a user has no home. */
function cachesOf({ CACHE_DIRECTORY, XDG_CACHE_HOME }) {
  const [bySystemd] = CACHE_DIRECTORY?.split(":") ?? []
  // Not $HOME: under sudo it may be somebody else's.
  return bySystemd || join(XDG_CACHE_HOME || join(userInfo().homedir, ".cache"), "waypost")
}

/** The folder and all above it. */
function pathTo(folder) {
  return folder === dirname(folder) ? [folder] : [folder, ...pathTo(dirname(folder))]
}

/** Others may write to none but one like /tmp, where they cannot move what is not theirs. */
function isSafe(folder) {
  const { uid, mode } = lstatSync(folder)
  const othersWrite = (mode & 0o022) !== 0
  const othersMoveOnlyTheirOwn = (mode & 0o1000) !== 0
  return (uid === 0 || uid === process.getuid()) && (!othersWrite || othersMoveOnlyTheirOwn)
}
