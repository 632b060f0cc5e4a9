/** The graph as the engine rewrote it: which kernels really run. Native engine only. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Model } from '../../ir/types.js'
import { decodeModel } from '../../onnx/codec.js'
import { PareError } from '../../util/errors.js'
import { inTempFolder } from '../../util/temp.js'
import type { Engine, ModelSource, SessionOptions } from '../engine.js'

/**
 * Loads a model and returns it as the engine rewrote it. Level `extended` (the default) shows the integer kernels
 * (QLinearConv, QGemm, MatMulNBits, …; they appear from this level on, `basic` has none) with the names of values as
 * they were; `all` adds changes of layout (domain `com.microsoft.nchwc`, Transpose around integer Convs) that depend
 * on the CPU. Throws `ENGINE_NO_DUMP` on an engine that cannot write its graph.
 */
export async function optimizedGraph(
  engine: Engine,
  model: ModelSource,
  { optimization = 'extended', config, signal }: Omit<SessionOptions, 'optimizedModelPath'> = {},
): Promise<Model> {
  if (engine.name !== 'onnxruntime-node') {
    throw new PareError('ENGINE_NO_DUMP', 'only the native engine can show its optimised graph', {
      value: engine.name,
      remedy: "Open the engine with device 'cpu' and onnxruntime-node installed.",
    })
  }
  return inTempFolder('graph', async (folder) => {
    const path = join(folder, 'optimized.onnx')
    const session = await engine.load(model, {
      optimization,
      optimizedModelPath: path,
      ...(config === undefined ? {} : { config }),
      ...(signal === undefined ? {} : { signal }),
    })
    await session.close()
    return decodeModel(await readFile(path), { where: 'the optimised graph' })
  })
}
