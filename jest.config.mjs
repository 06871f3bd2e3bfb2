/** Three projects, one transformer: TypeScript's types are stripped in place, so positions in stack traces stay true. */
const project = (displayName, folder, more = {}) => ({
  displayName,
  testEnvironment: "node",
  extensionsToTreatAsEsm: [".ts"],
  transform: { "\\.ts$": "<rootDir>/tools/strip-types.cjs" },
  testMatch: [`<rootDir>/test/${folder}/**/*.test.ts`],
  ...more,
})

export default {
  projects: [project("unit", "unit"), project("scenarios", "scenarios"), project("interop", "interop")],
  coverageProvider: "v8",
  testTimeout: 60_000,
}
