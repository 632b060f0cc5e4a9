/** What the compiled kernels share: how they are compiled and given memory. */

export const PAGE_BYTES = 65_536

/** 4 GiB, all that a 32-bit address reaches. */
const MOST_PAGES = 65_536

/** `maximum` lets the engine reserve no more than this. Null where there is not so much. */
export function memoryOf(pages: number): WebAssembly.Memory | null {
  if (pages > MOST_PAGES) return null
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages })
  } catch {
    return null
  }
}

/** From base64. Browsers allow it on their main thread below 4 kB; null where it is forbidden, or SIMD is missing. */
export function compileInPlace(base64: string): WebAssembly.Module | null {
  try {
    return new WebAssembly.Module(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)))
  } catch {
    return null
  }
}
