/** Hashes that tell files apart. */

import { toHex } from './bytes.js'

/** SHA-256 in hexadecimal, in Node and in browsers. */
export async function sha256(data: Uint8Array | string): Promise<string> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return toHex(new Uint8Array(digest))
}
