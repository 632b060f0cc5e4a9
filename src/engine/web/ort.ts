/** The runtime in a browser. The one file for browsers that imports `onnxruntime-web`; a device loads only its own build. */

import type { Ort, OrtSession, OrtTensor } from '../ort.js'

export interface WebRuntime {
  readonly ort: Ort
  readonly version: string
}

/** `assets`: URL of the folder that holds the runtime's `.wasm` and `.mjs` files; default: beside the script. */
export async function loadRuntime(device: string, threads: number, assets?: string): Promise<WebRuntime> {
  const { InferenceSession, Tensor, env } =
    device === 'webgpu' ? await import('onnxruntime-web/webgpu') : await import('onnxruntime-web/wasm')
  env.logLevel = 'fatal'
  env.wasm.numThreads = threads
  if (assets !== undefined) env.wasm.wasmPaths = assets
  return {
    version: env.versions.web ?? env.versions.common,
    ort: {
      createSession: (model, options) =>
        InferenceSession.create(model as Uint8Array, options as object) as unknown as Promise<OrtSession>,
      createTensor: (type, data, dims) =>
        new Tensor(type as 'float32', data as Float32Array, dims) as unknown as OrtTensor,
    },
  }
}
