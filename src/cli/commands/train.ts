/** `pare train`: a model from nothing but data. */

import { defineCommand } from '../command.js'
import { LABEL_OPTIONS, TRAINING_OPTIONS } from '../training-options.js'

export const train = defineCommand({
  name: 'train',
  summary: 'Train a model on labelled data',
  positionals: { names: [], min: 0, max: 0 },
  options: {
    model: {
      kind: 'text',
      value: 'name',
      required: true,
      doc: 'mlp:256,128, cnn:tiny, cnn:small, a module (.mjs) that builds one, or an ONNX file',
    },
    ...LABEL_OPTIONS,
    ...TRAINING_OPTIONS,
  },
  examples: [
    'pare train --data mnist/ --model mlp:256,128 --epochs 5 --penalty l2:1e-4 -o model.onnx',
    'pare train --data images/ --data-option size=64x64 --model cnn:small -o model.onnx --report curves.html',
    'pare train --data table.csv --data-option label=price --model mlp:32 -o model.onnx',
  ],
  notes: [
    'The model that comes out is plain ONNX: it takes samples as they are in the data, as their scale is a part of it, and its batch size is open. Its weights are those of the epoch with the smallest validation loss.',
    'A folder of idx files (train-images-idx3-ubyte.gz and so on) gives labels and test samples by itself, and class folders of pictures are their own labels.',
  ],
  async run(_, options, context) {
    const [{ labelledSets }, { buildModel }, training, { readDataset }, { interfaceOf }] = await Promise.all([
      import('../labelled-data.js'),
      import('../build-model.js'),
      import('../training.js'),
      import('../../train/dataset.js'),
      import('../models.js'),
    ])
    await training.checkOutputs(options)
    const sets = await labelledSets(options)
    const { model, loss, freeze } = await buildModel(options, sets.train, context.signal)
    const face = interfaceOf(model)
    const read = { model, loss, signal: context.signal }
    const own = await sets.train.open(face)
    const [data, validation, test] = [
      await readDataset(own, read),
      sets.validation && (await readDataset(await sets.validation.open(face), read)),
      sets.test && (await readDataset(await sets.test.open(face), read)),
    ]
    const choices = { ...options, freeze: [...options.freeze, ...freeze] }
    return training.runTraining(
      { model, loss, data, validation, test, name: options.model, classes: own.classes },
      choices,
      context,
    )
  },
})
