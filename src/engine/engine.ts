/**
 * The one thing that computes: sessions on ONNX Runtime. Everything above the engine sees this interface only;
 * the only code that imports onnxruntime lies in `engine/node` and `engine/web`.
 */

import type { Tensor } from '../ir/types.js'
import type { Tasks } from '../util/tasks.js'

/** Inputs or outputs of one run, by name. */
export type Feeds = Readonly<Record<string, Tensor>>

export type Device = 'cpu' | 'wasm' | 'webgpu' | (string & {})

export interface EngineOptions {
  /** `cpu` is native where it is installed and WebAssembly where not. Default `cpu`. */
  readonly device?: Device
  /** Threads inside one operator. Default: the machine's physical cores. */
  readonly threads?: number
  /** Told of what the user should know, e.g. that WebAssembly took over and how to change that. */
  readonly onWarning?: (message: string) => void
}

export interface SessionOptions {
  /** `off` runs the graph as it stands: the reference side of comparisons. Default `all`. */
  readonly optimization?: 'off' | 'basic' | 'extended' | 'all'
  /** Write the graph as the engine rewrote it to this path (native engine only). */
  readonly optimizedModelPath?: string
  /** Session configuration entries, e.g. `session.qdq_matmulnbits_accuracy_level`. */
  readonly config?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** A model in memory, or a file whose external data lies beside it. */
export type ModelSource = Uint8Array | { readonly path: string }

export interface ValueInfo {
  readonly name: string
  readonly dtype: string
  /** Symbolic dimensions are strings; absent for values that are not tensors. */
  readonly shape?: readonly (number | string)[]
}

export interface RunSessionOptions {
  /** Default all. */
  readonly outputs?: readonly string[]
  readonly signal?: AbortSignal
  /**
   * Inputs that are lent instead of copied: their memory is gone from here, and comes back among the results under the
   * names of the inputs, to be filled anew. What is but a part of its memory is copied all the same. Default: none.
   */
  readonly lend?: readonly string[]
}

export interface Session {
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  /** Runs off the main thread. */
  run(feeds: Feeds, options?: RunSessionOptions): Promise<Record<string, Tensor>>
  /** The engine gives the memory back once it is done with what was asked of it before; this does not wait for that. */
  close(): Promise<void>
}

export interface Timing {
  /** Milliseconds of each measured run, in order. */
  readonly runs: readonly number[]
  readonly loadMs: number
}

export interface MeasureOptions {
  /** Measured rounds; each round reads every model once, in an order drawn anew. */
  readonly rounds?: number
  /** Upper bound on the time spent, in ms; at least 5 rounds are always measured. */
  readonly budgetMs?: number
  readonly warmup?: number
  /** Times `rounds` and `budgetMs` that may be spent while a model is not told apart from the first. Default 1. */
  readonly patience?: number
  readonly signal?: AbortSignal
}

/** Time spent in one node of the graph as the engine runs it. */
export interface NodeProfile {
  readonly name: string
  readonly op: string
  /** Mean milliseconds a run. */
  readonly ms: number
}

export interface Engine {
  readonly name: 'onnxruntime-node' | 'onnxruntime-web'
  readonly version: string
  readonly device: Device
  readonly threads: number
  /** For what is no graph; absent where there are no threads for it. */
  readonly tasks?: Tasks
  load(model: ModelSource, options?: SessionOptions): Promise<Session>
  /** Times several models interleaved, in one thread of their own, on the same feeds. */
  measure(models: readonly ModelSource[], feeds: readonly Feeds[], options?: MeasureOptions): Promise<readonly Timing[]>
  /** Mean time a node; an empty list where the engine cannot tell. */
  profile(
    model: ModelSource,
    feeds: Feeds,
    options?: { readonly runs?: number; readonly signal?: AbortSignal },
  ): Promise<readonly NodeProfile[]>
  close(): Promise<void>
}
