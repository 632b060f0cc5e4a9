/** Compiled loops, where WebAssembly with 128-bit vectors runs, and the memory that they work on. */

export interface Instance<Calls> {
  readonly memory: WebAssembly.Memory
  readonly calls: Calls
}

const PAGE_BYTES = 65_536

/** 4 GiB, all that a 32-bit address reaches. */
const MOST_PAGES = 65_536

/** Null where it cannot be: no SIMD, a page that forbids WebAssembly, or more memory than it can have. */
export function instantiate<Calls>(base64: string, bytes: number): Instance<Calls> | null {
  const compiled = moduleOf(base64)
  const pages = Math.ceil(bytes / PAGE_BYTES)
  if (compiled === null || pages > MOST_PAGES) return null
  const memory = memoryOf(pages)
  if (memory === null) return null
  return { memory, calls: new WebAssembly.Instance(compiled, { env: { memory } }).exports as Calls }
}

/** `maximum` lets the engine reserve no more than this. */
function memoryOf(pages: number): WebAssembly.Memory | null {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages })
  } catch {
    return null
  }
}

/** Compiled once each. They hold code alone, so nothing that one caller does reaches another. */
const modules = new Map<string, WebAssembly.Module | null>()

/** Compiled in place, which browsers allow on their main thread below 4 kB. */
function moduleOf(base64: string): WebAssembly.Module | null {
  const known = modules.get(base64)
  if (known !== undefined) return known
  const compiled = compile(base64)
  modules.set(base64, compiled)
  return compiled
}

function compile(base64: string): WebAssembly.Module | null {
  try {
    return new WebAssembly.Module(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)))
  } catch {
    return null
  }
}
