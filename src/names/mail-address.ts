/** A mail address that can be written anywhere: ASCII, nothing quoted. */
import { hostname } from "./hostname.ts"

/** With its domain in normal form; `undefined` if it is none. */
export function mailAddress(text: string): string | undefined {
  const [, local = "", domain = ""] = /^([!#-'*+\-/-9=?A-Z^-~]{1,64})@([!-~]+)$/.exec(text) ?? []
  const name = hostname(domain)
  return local !== "" && name ? `${local}@${name}` : undefined
}
