/** The WebAssembly runtime, in Node. The one file for Node that imports `onnxruntime-web`. */

import type { OrtSession, OrtTensor } from '../ort.js'
import type { Runtime } from './ort-node.js'

/** The line that gets the WebAssembly runtime. */
export const INSTALL_WEB = 'npm install onnxruntime-web@1'

/** `threads` above 1 starts worker threads of the runtime's own inside this one. */
export async function loadWebAssembly(threads: number): Promise<Runtime> {
  const { InferenceSession, Tensor, env } = await import('onnxruntime-web')
  env.logLevel = 'fatal'
  env.wasm.numThreads = threads
  return {
    version: env.versions.web ?? env.versions.common,
    backends: ['wasm'],
    ort: {
      createSession: (model, options) =>
        InferenceSession.create(model as Uint8Array, options as object) as unknown as Promise<OrtSession>,
      createTensor: (type, data, dims) =>
        new Tensor(type as 'float32', data as Float32Array, dims) as unknown as OrtTensor,
    },
  }
}
