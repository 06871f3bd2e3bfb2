/** Node's own parser class, which @types/node leaves out; only the recorder touches it. */
declare module "node:_http_common" {
  export const HTTPParser: { prototype: { consume: (handle: unknown) => void } }
}
