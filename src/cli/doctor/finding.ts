/** One line of the doctor's report. */
export type Finding = {
  readonly what: string
  /** `warn`: a relay runs here, but something will not work or will work less well. `fail`: it does not run. */
  readonly state: "ok" | "warn" | "fail"
  readonly found: string
  /** What to do about it; only where there is something to do. */
  readonly remedy?: string
}
