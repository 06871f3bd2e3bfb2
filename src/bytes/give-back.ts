/**
 * Gives the memory of a piece back that nobody reads any more: what streams by would otherwise lie there until V8 looks,
 * which is after 64 MB. A piece that shares its memory with others is left to V8.
 */
export function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
