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
    'The weights are those of the epoch with the smallest validation loss, and stay as they were where no epoch was better. Cross-entropy of an output that is a Softmax is that of its scores before. Normalizations keep their statistics, and nothing is dropped, unless --batch-statistics asks for it.',
  ],
  async run([path], options, context) {
    const [
      { labelledSets },
      training,
      { readDataset },
      models,
      { readModel },
      { withShapes },
      { LOSSES },
      { dataFacts },
      { scoresOf },
    ] = await Promise.all([
      import('../labelled-data.js'),
      import('../training.js'),
      import('../../train/dataset.js'),
      import('../models.js'),
      import('../../onnx/files.js'),
      import('../../passes/with-shapes.js'),
      import('../../train/losses/index.js'),
      import('../../train/data-facts.js'),
      import('../../train/objective.js'),
    ])
    const { output, report, force, data: dataPath, labels } = options
    const read = await readModel(path!)
    await models.protectInput(path!, output, force, { model: read, read: [dataPath, labels], report })
    await training.checkOutputs(options)
    const shapes = await shapesOf(options.shape)
    const model = Object.keys(shapes).length === 0 ? read : withShapes(read, shapes)
    const sets = await labelledSets(options)
    const face = models.interfaceOf(model)
    const train = await sets.train.open(face)
    const { classes } = await dataFacts(train, context.signal)
    const loss = LOSSES[options.loss ?? (classes === null ? 'squared' : 'cross-entropy')]()
    const of = options.of ?? training.onlyOutput(model)
    const objectives = [{ output: loss.target === 'class' ? scoresOf(model, of) : of, loss }]
    const how = { model, loss: objectives, signal: context.signal }
    const [data, validation, test] = [
      await readDataset(train, how),
      sets.validation && (await readDataset(await sets.validation.open(face), how)),
      sets.test && (await readDataset(await sets.test.open(face), how)),
    ]
    const more = { isTraining: options.batchStatistics }
    return training.runTraining(
      { model, loss: objectives, data, validation, test, name: path!, classes: train.classes, more },
      options,
      context,
    )
  },
})
