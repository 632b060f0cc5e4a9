/** `pare apply`: makes the model of a recipe, byte for byte as a search made it. */

import { readFile } from 'node:fs/promises'
import { PareError } from '../../util/errors.js'
import { bytes as bytesText } from '../../util/format.js'
import { defineCommand } from '../command.js'
import { DATA_OPTIONS, limited, openData, requireUnread, THREADS_OPTION, unused } from '../inputs.js'
import { labelled } from '../labelled.js'
import { safe } from '../terminal.js'

export const apply = defineCommand({
  name: 'apply',
  summary: 'Make the model of a recipe that a search wrote',
  positionals: { names: ['recipe', 'model'], min: 2, max: 2 },
  options: {
    output: { kind: 'text', short: 'o', value: 'file', required: true, doc: 'the file to write' },
    force: { kind: 'flag', doc: 'let --output replace the model itself' },
    ...DATA_OPTIONS,
    labels: { kind: 'text', value: 'path', doc: 'labels of the samples, where the search had them' },
    ...THREADS_OPTION,
  },
  examples: ['pare apply recipe.json model.onnx --data samples.npz -o small.onnx'],
  notes: [
    'With the model, samples, labels, limit and threads of the search, on a machine of its kind, the file is the same byte for byte. The recipe holds the seed and, where they were given, the sizes of open dimensions. With other samples of the same kind the recipe is made anew on these: the same steps, other ranges and weights.',
  ],
  async run([recipePath, path], options, context) {
    const [{ readModel }, { withShapes }, models, { parseRecipe, needsSamples }, { applyRecipe }, files] =
      await Promise.all([
        import('../../onnx/files.js'),
        import('../../passes/with-shapes.js'),
        import('../models.js'),
        import('../../search/recipe-file.js'),
        import('../../search/apply.js'),
        import('../../util/files.js'),
      ])
    const recipe = parseRecipe(await recipeIn(recipePath!), recipePath!)
    await files.checkWritable(options.output)
    const read = await readModel(path!)
    await models.protectInput(path!, options.output, options.force, {
      model: read,
      read: [recipePath, options.data, options.labels],
    })
    const isFile = (await models.modelBytes(path!, read)) !== null && !models.hasExternalData(read)
    const original = isFile ? new Uint8Array(await readFile(path!)) : undefined
    const data = await openData(
      { ...options, limit: undefined },
      models.interfaceOf(withShapes(read, recipe.shapes ?? {})),
    )
    if (data === null) {
      requireUnread(options)
      if (options.labels !== undefined) throw unused('--labels', 'there are no samples', 'Give them with --data.')
    }
    needsSamples(recipe, data !== null)
    const { signal, onProgress, warn } = context

    const samples = data && (await limited(await labelled(data.samples, options.labels), options.limit))
    const { bytes, steps } = await applyRecipe(read, recipe, {
      signal,
      onProgress,
      onWarning: warn,
      ...(original && { original }),
      ...(samples && { samples }),
      ...(options.threads !== undefined && { threads: options.threads }),
    })
    signal.throwIfAborted()
    await files.writeFileAtomic(options.output, bytes)
    const list = steps.map(({ transform, refusal }) =>
      safe(refusal === undefined ? transform : `${transform}: nothing to do on the model itself, ${refusal}`),
    )
    const size = `${safe(options.output)}: ${bytesText(bytes.byteLength)}${original ? `, from ${bytesText(original.byteLength)}` : ''}.`
    return { text: [...list, size].join('\n'), json: { output: options.output, bytes: bytes.byteLength, steps } }
  },
})

async function recipeIn(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    throw new PareError('FILE_MISSING', 'there is no such file', { where: path, remedy: 'Check the path.', cause })
  }
}
