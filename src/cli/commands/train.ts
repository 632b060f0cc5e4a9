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
    'The model that comes out is plain ONNX. One that was built by name takes samples as they are in the data, as their scale is a part of it, and its batch size is open. Its weights are those of the epoch with the smallest validation loss, or the best by --best-by; with lbfgs those of the last iteration.',
    'A folder of idx files (train-images-idx3-ubyte.gz and so on) gives labels and test samples by itself, and class folders of pictures are their own labels.',
  ],
  async run(_, options, context) {
    const [{ labelledSets, readSets }, { buildModel }, training, { objectiveFor }, { readModel }] = await Promise.all([
      import('../labelled-data.js'),
      import('../build-model.js'),
      import('../training.js'),
      import('../../train/objective.js'),
      import('../../onnx/files.js'),
    ])
    const isFile = /\.(onnx|m?js)$/.test(options.model)
    const given = options.model.endsWith('.onnx') ? await readModel(options.model) : undefined
    const judges = training.metricChoices(options)
    await training.checkChoices(isFile ? options.model : undefined, options, given)
    const sets = await labelledSets(options)
    const { model, loss } = await buildModel(options, given ?? null, sets.train, context.signal)
    const output = training.onlyOutput(model, 'Give pare finetune, which takes --of.')
    const objectives = [objectiveFor(model, output, loss)]
    const data = await readSets(sets, model, objectives, context.signal)
    const { classes } = sets
    const made = { ...data, ...judges, model, loss: objectives, how: loss.name, name: options.model, classes }
    return training.runTraining(made, options, context)
  },
})
