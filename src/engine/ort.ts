/**
 * The part of ONNX Runtime's JavaScript interface that this project uses. `onnxruntime-node` and `onnxruntime-web`
 * both fit it, so the code that drives sessions needs to import neither.
 */

import type { TypedArray } from '../ir/dtypes.js'

export interface OrtTensor {
  readonly type: string
  readonly dims: readonly number[]
  /** Throws where the tensor does not lie in the CPU's memory. */
  readonly data: TypedArray | readonly string[]
  dispose?(): void
}

export interface OrtValueMetadata {
  readonly name: string
  readonly isTensor: boolean
  readonly type?: string
  readonly shape?: readonly (number | string)[]
}

export interface OrtSession {
  readonly inputMetadata: readonly OrtValueMetadata[]
  readonly outputMetadata: readonly OrtValueMetadata[]
  run(feeds: Record<string, OrtTensor>, fetches: readonly string[]): Promise<Record<string, OrtTensor>>
  release(): Promise<void>
  endProfiling(): void
}

export interface OrtSessionOptions {
  readonly executionProviders: readonly string[]
  readonly intraOpNumThreads: number
  readonly interOpNumThreads: number
  readonly graphOptimizationLevel: 'disabled' | 'basic' | 'extended' | 'all'
  readonly logSeverityLevel: number
  readonly optimizedModelFilePath?: string
  readonly enableProfiling?: boolean
  readonly profileFilePrefix?: string
  readonly extra?: Record<string, string>
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array }[]
}

export interface Ort {
  createSession(model: Uint8Array | string, options: OrtSessionOptions): Promise<OrtSession>
  createTensor(type: string, data: TypedArray | readonly string[], dims: readonly number[]): OrtTensor
}
