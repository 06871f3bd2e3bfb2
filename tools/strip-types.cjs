/** The whole jest transformer: Node's own type stripping, which keeps every line and column where it was. */
const { createHash } = require("node:crypto")
const { stripTypeScriptTypes } = require("node:module")

module.exports = {
  process: (source) => ({ code: stripTypeScriptTypes(source) }),
  getCacheKey: (source, path) => createHash("sha256").update(process.version).update(path).update(source).digest("hex"),
}
