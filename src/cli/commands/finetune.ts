/** `pare finetune`: a model that exists, trained on for other data or another end. */

import { defineCommand } from '../command.js'
import { shapesOf } from '../feeds.js'
import { SHAPE_OPTION } from '../inputs.js'
import { LABEL_OPTIONS, TRAINING_OPTIONS } from '../training-options.js'

export const finetune = defineCommand({
  name: 'finetune',
  summary: 'Train a model that exists on labelled data',
  positionals: { names: ['model'], min: 1, max: 1 },
  options: {
    ...LABEL_OPTIONS,
    of: { kind: 'text', value: 'output', doc: 'the output that the loss is of, where the model has several' },
    batchStatistics: { kind: 'flag', doc: 'normalize over batches and let running statistics move; drop out' },
    ...TRAINING_OPTIONS,
    ...SHAPE_OPTION,
  },
  examples: [
    "pare finetune model.onnx --data samples.npz --labels y.npy --freeze 'conv*' -o tuned.onnx",
    'pare finetune model.onnx --data images/ --learning-rate 1e-4 --epochs 3 -o tuned.onnx',
  ],
  notes: [
    'The weights are those of the epoch with the smallest validation loss, or the best by --best-by (with lbfgs those of the last iteration), and stay as they were where none were better. Cross-entropy of an output that is a Softmax is that of its scores before. Normalizations keep their statistics, and nothing is dropped, unless --batch-statistics asks for it.',
  ],
  async run([path], options, context) {
    const [{ labelledSets, readSets }, training, { readModel }, { withShapes }, { lossFor }, { objectiveFor }] =
      await Promise.all([
        import('../labelled-data.js'),
        import('../training.js'),
        import('../../onnx/files.js'),
        import('../../passes/with-shapes.js'),
        import('../build-model.js'),
        import('../../train/objective.js'),
      ])
    const model = await readModel(path!)
    const judges = training.metricChoices(options)
    await training.checkChoices(path, options, model)
    const { signal } = context
    const shapes = await shapesOf(options.shape)
    const fixed = withShapes(model, shapes)
    const sets = await labelledSets(options)
    const loss = await lossFor(options, fixed, sets.train, signal)
    const of = options.of ?? training.onlyOutput(model)
    const objectives = [objectiveFor(model, of, loss)]
    const data = await readSets(sets, fixed, objectives, signal)
    const more = { isTraining: options.batchStatistics, shapes }
    const { classes } = sets
    const what = { model, loss: objectives, how: loss.name, name: path!, classes, more }
    return training.runTraining({ ...data, ...judges, ...what, neverWorse: true }, options, context)
  },
})
