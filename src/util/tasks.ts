/** Work that goes to threads beside the caller's, where there are such. */

/**
 * A module of this package, by its place in it (`linear/fold-task.js`), whose `run` takes and returns plain data. It is
 * named and not imported, so that only the thread that runs it loads it.
 */
export interface Task<Input, Output> {
  readonly module: string
  readonly run?: (input: Input) => Output
}

export interface Tasks {
  /** Beside the caller's. */
  readonly threads: number
  /** In the thread that has least to do. Input and output are copied, but for memory that is shared. */
  run<Input, Output>(task: Task<Input, Output>, input: Input): Promise<Output>
}

/** Zeros that threads see without a copy. */
export const sharedNumbers = (length: number): Float64Array => new Float64Array(new SharedArrayBuffer(8 * length))

/** Zeros, in memory of the same kind. */
export const zerosLike = ({ buffer, length }: Float64Array): Float64Array =>
  // A page may know no shared memory, and then nothing is in it.
  typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer
    ? sharedNumbers(length)
    : new Float64Array(length)
