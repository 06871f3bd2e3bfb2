/** Prints the Debian packages of the programs that judge us, one per line: what .ci/run installs. */
import { PACKAGES } from "../test/support/installed.ts"

console.log([...new Set(Object.values(PACKAGES).flatMap((packages) => packages.split(" ")))].join("\n"))
