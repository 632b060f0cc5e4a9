/** `pare distill`: a model that learns to answer as another one does. */

import { defineCommand } from '../command.js'
import { shapesOf } from '../feeds.js'
import { engineOptions, SHAPE_OPTION } from '../inputs.js'
import { TRAINING_OPTIONS } from '../training-options.js'

const LOSSES = ['relative', 'kullback-leibler'] as const

export const distill = defineCommand({
  name: 'distill',
  summary: 'Train a model to answer as another one does, without labels',
  positionals: { names: ['student'], min: 1, max: 1 },
  options: {
    teacher: { kind: 'text', value: 'file', required: true, doc: 'the model whose answers are to be learned' },
    loss: { kind: 'choice', choices: LOSSES, default: 'relative', doc: 'how answers are compared' },
    temperature: {
      kind: 'number',
      value: 't',
      min: 0.1,
      max: 100,
      doc: 'softens scores for kullback-leibler (default 2)',
    },
    batchStatistics: { kind: 'flag', doc: 'normalize over batches and let running statistics move; drop out' },
    ...TRAINING_OPTIONS,
    ...SHAPE_OPTION,
  },
  examples: [
    'pare distill student.onnx --teacher model.onnx --data samples.npz -o better.onnx',
    'pare distill small.onnx --teacher large.onnx --data images/ --loss kullback-leibler -o better.onnx',
  ],
  notes: [
    'Outputs are paired by name, or, where names differ, in their order. The relative loss is the squared error of each output, divided by the mean square of what the teacher answers, added over all outputs; kullback-leibler compares distributions over classes, before a Softmax where there is one.',
  ],
  async run([path], options, context) {
    const [training, models, { readModel }, { withShapes }, { openData, unused }, { openEngine }, { distillation }] =
      await Promise.all([
        import('../training.js'),
        import('../models.js'),
        import('../../onnx/files.js'),
        import('../../passes/with-shapes.js'),
        import('../inputs.js'),
        import('../../engine/node/open.js'),
        import('../../train/distill.js'),
      ])
    const { teacher, loss, temperature = 2 } = options
    if (options.temperature !== undefined && loss !== 'kullback-leibler')
      throw unused('--temperature', 'the relative loss has none', 'Leave it out, or give --loss kullback-leibler.')
    const model = await readModel(path!)
    const wise = await readModel(teacher)
    await training.checkChoices(path, options, model, models.weightFiles(teacher, wise))
    const shapes = await shapesOf(options.shape)
    const master = withShapes(wise, shapes)
    const opened = await openData(options, models.interfaceOf(withShapes(model, shapes)))
    if (opened === null) throw training.noData()
    const engine = await openEngine(engineOptions(options, context.warn))
    try {
      const { signal, onProgress } = context
      const { data, objectives } = await distillation(model, master, opened.samples, {
        engine,
        links: opened.links,
        ...(loss === 'kullback-leibler' && { temperature }),
        signal,
        onProgress,
      })
      const more = { isTraining: options.batchStatistics, shapes }
      const how = loss === 'relative' ? 'relative squared error' : `Kullback-Leibler at temperature ${temperature}`
      const made = { model, loss: objectives, data, validation: null, test: null, how, name: path!, more }
      return await training.runTraining(made, options, context, engine)
    } finally {
      await engine.close()
    }
  },
})
