/** Memory that compiled loops and threads work on, given out piece by piece. */

export interface Arena {
  readonly memory: WebAssembly.Memory
  /** The address of so many bytes, on a line of the cache; they are zero, or what was there before `reset`. */
  take(bytes: number): number
  /** Gives back what was taken after the address. */
  reset(address: number): void
  floats(address: number, length: number): Float32Array
  integers(address: number, length: number): Int32Array
}

const PAGE = 65_536
const LINE = 64

/** Of at most so many bytes; what is not used costs nothing. Null where there is no such memory. */
export function openArena(bytes: number, isShared: boolean): Arena | null {
  const pages = Math.ceil(bytes / PAGE) + 1
  const memory = memoryOf(pages, isShared)
  if (memory === null) return null
  // Address 0 stays free.
  let top = LINE
  return {
    memory,
    take(length) {
      const at = top
      top += Math.ceil(length / LINE) * LINE
      return at
    },
    reset: (address) => {
      top = address
    },
    floats: (address, length) => new Float32Array(memory.buffer, address, length),
    integers: (address, length) => new Int32Array(memory.buffer, address, length),
  }
}

function memoryOf(pages: number, isShared: boolean): WebAssembly.Memory | null {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: isShared })
  } catch {
    return null
  }
}
