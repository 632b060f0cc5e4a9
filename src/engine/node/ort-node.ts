/** The native runtime. The one file that imports `onnxruntime-node`. */

import type { Ort, OrtSession, OrtTensor } from '../ort.js'

/** The line that gets the native runtime. The flag keeps its own script from fetching GPU libraries. */
export const INSTALL_NATIVE = 'npm install onnxruntime-node@1 --onnxruntime-node-install=skip'

export interface Runtime {
  readonly ort: Ort
  readonly version: string
  readonly backends: readonly string[]
}

/** Throws whatever the import throws where the package is not installed or its binary does not load. */
export async function loadNative(): Promise<Runtime> {
  const { default: runtime } = await import('onnxruntime-node')
  runtime.env.logLevel = 'fatal'
  return {
    version: runtime.env.versions.node ?? runtime.env.versions.common,
    backends: runtime.listSupportedBackends().map(({ name }) => name),
    ort: {
      createSession: (model, options) =>
        runtime.InferenceSession.create(model as string, options as object) as unknown as Promise<OrtSession>,
      createTensor: (type, data, dims) =>
        new runtime.Tensor(type as 'float32', data as Float32Array, dims) as unknown as OrtTensor,
    },
  }
}
