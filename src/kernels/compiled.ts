/** WebAssembly that is compiled in place and works on a memory of its own. */

export interface Compiled<Exports> {
  readonly calls: Exports
  readonly memory: WebAssembly.Memory
}

const PAGE_BYTES = 65_536

/** 4 GiB, all that a 32-bit address reaches. */
const MOST_PAGES = 65_536

/**
 * A function that gives a new instance with a memory of at least so many bytes, or null where there can be none: no SIMD,
 * a page that forbids WebAssembly, more memory than there is. Compiling waits for the first call, and its result holds
 * code alone, so nothing that one caller does reaches another.
 */
export function compiled<Exports>(base64: string): (bytes: number) => Compiled<Exports> | null {
  let shared: WebAssembly.Module | null | undefined
  return (bytes) => {
    if (shared === undefined) shared = compile(base64)
    const memory = shared === null ? null : memoryOf(Math.ceil(bytes / PAGE_BYTES))
    if (shared === null || memory === null) return null
    return { calls: new WebAssembly.Instance(shared, { env: { memory } }).exports as Exports, memory }
  }
}

/** Browsers allow this on their main thread below 4 kB. */
function compile(base64: string): WebAssembly.Module | null {
  try {
    return new WebAssembly.Module(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)))
  } catch {
    return null
  }
}

/** `maximum` lets the engine reserve no more than this. */
function memoryOf(pages: number): WebAssembly.Memory | null {
  try {
    return pages > MOST_PAGES ? null : new WebAssembly.Memory({ initial: pages, maximum: pages })
  } catch {
    return null
  }
}
