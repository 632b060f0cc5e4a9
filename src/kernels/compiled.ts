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

/**
 * The same for loops that work on memory that is there already, and that threads may share: they are compiled for that, and
 * for memory of one thread again where it is such.
 */
export function compiledOn<Exports>(base64: string): (memory: WebAssembly.Memory) => Exports | null {
  const modules = new Map<boolean, WebAssembly.Module | null>()
  return (memory) => {
    const isShared = !(memory.buffer instanceof ArrayBuffer)
    if (!modules.has(isShared)) modules.set(isShared, compile(base64, isShared ? (bytes) => bytes : unshared))
    const module = modules.get(isShared)!
    return module === null ? null : (new WebAssembly.Instance(module, { env: { memory } }).exports as Exports)
  }
}

/** The import of `env.memory`, with a maximum, and whether it is shared. */
const IMPORT = [3, ...bytesOf('env'), 6, ...bytesOf('memory'), 2] as const
const SHARED = 3
const OWN = 1

function unshared(bytes: Uint8Array): Uint8Array {
  const at = bytes.findIndex((_, i) => IMPORT.every((b, k) => bytes[i + k] === b))
  const flags = at + IMPORT.length
  if (at < 0 || bytes[flags] !== SHARED) throw new Error('this module imports no shared memory')
  return bytes.with(flags, OWN)
}

function bytesOf(text: string): readonly number[] {
  return Array.from(text, (c) => c.charCodeAt(0))
}

/** Browsers allow this on their main thread below 4 kB. */
function compile(
  base64: string,
  changed: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
): WebAssembly.Module | null {
  try {
    const bytes = changed(Uint8Array.from(bytesOf(atob(base64))))
    return new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>)
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
