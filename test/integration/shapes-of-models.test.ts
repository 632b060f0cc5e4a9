/** Shape inference against the engine on whole real models: every claim is true of a run, and nothing is left open. */

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine, Feeds } from '../../src/engine/engine.js'
import { openEngine } from '../../src/engine/node/open.js'
import { mapGraphs } from '../../src/ir/graphs.js'
import { f32, i64, tensor } from '../../src/ir/tensor.js'
import type { Graph, Model, TensorValue } from '../../src/ir/types.js'
import { decodeModel } from '../../src/onnx/codec.js'
import { type Facts, factsOf } from '../../src/passes/infer-shapes.js'
import { shapesFromRun } from '../../src/passes/shapes-from-run.js'
import { dataPath } from '../data.js'

const noise = (...shape: number[]) =>
  f32(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 12.9898) / 2),
  )
const zeros = (...shape: number[]) => f32(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)))

/** Feeds by case; a case is named after its model, perhaps with a remark in parentheses. */
const CASES: Readonly<Record<string, Feeds>> = {
  'ultraface-rfb-320': { input: noise(1, 3, 240, 320) },
  'ultraface-slim-320': { input: noise(1, 3, 240, 320) },
  'silero-vad (16 kHz)': { input: noise(1, 576), state: zeros(2, 1, 128), sr: i64([], [16000]) },
  'silero-vad (8 kHz)': { input: noise(3, 288), state: zeros(2, 3, 128), sr: i64([], [8000]) },
  'magika-v3.3': {
    bytes: tensor(
      'int32',
      [2, 2048],
      Int32Array.from({ length: 4096 }, (_, i) => (i * 31) % 257),
    ),
  },
  gtcrn: {
    mix: noise(1, 257, 1, 2),
    conv_cache: zeros(2, 1, 16, 16, 33),
    tra_cache: zeros(2, 3, 1, 1, 16),
    inter_cache: zeros(2, 1, 33, 16),
  },
  'dtln-1': { input_2: noise(1, 1, 257), input_3: zeros(1, 2, 128, 2) },
  'yunet-n-320': { input: noise(1, 3, 320, 320) },
  'dnsmos-sig-bak-ovr': { input_1: noise(1, 144160) },
  'mnist-cntk': { Input3: noise(1, 1, 28, 28) },
  'openseeface-mnv3-detection': { input: noise(2, 3, 224, 224) },
  'go1-policy': { obs: noise(1, 48) },
}

let engine: Engine
beforeAll(async () => {
  engine = await openEngine({ threads: 1 })
})
afterAll(() => engine.close())

/** Node outputs of all graphs that a run reached, and how many of them are fully known. */
function share(facts: Facts, measured: ReadonlyMap<Graph, ReadonlyMap<string, TensorValue>>) {
  let [total, known] = [0, 0]
  for (const [graph, values] of measured) {
    for (const name of values.keys()) {
      const fact = facts.graphs.get(graph)?.get(name)?.value
      total++
      if (fact?.kind === 'tensor' && fact.dtype !== 'undefined' && fact.shape?.every((d) => typeof d === 'number')) {
        known++
      }
    }
  }
  return { total, known }
}

/** Claims that are untrue of the run. */
function untrue(facts: Facts, measured: ReadonlyMap<Graph, ReadonlyMap<string, TensorValue>>): string[] {
  return [...measured].flatMap(([graph, values]) =>
    [...values].flatMap(([name, actual]) => {
      const fact = facts.graphs.get(graph)?.get(name)?.value
      if (fact === undefined) return []
      if (fact.kind !== 'tensor') return [`${name}: a ${fact.kind}`]
      const wrongType = fact.dtype !== 'undefined' && fact.dtype !== actual.dtype
      const wrongShape =
        fact.shape &&
        (fact.shape.length !== actual.shape!.length ||
          fact.shape.some((d, i) => typeof d === 'number' && d !== actual.shape![i]))
      const claim = `${fact.dtype} [${fact.shape}], the run gives ${actual.dtype} [${actual.shape}]`
      return wrongType || wrongShape ? [`${name}: ${claim}`] : []
    }),
  )
}

/** Symbols stand for one size each: the run must agree on what. */
function inconsistent(facts: Facts, measured: ReadonlyMap<Graph, ReadonlyMap<string, TensorValue>>): string[] {
  const sizes = new Map<string, number>()
  const wrong: string[] = []
  for (const [graph, values] of measured) {
    for (const [name, actual] of values) {
      const fact = facts.graphs.get(graph)?.get(name)?.value
      if (fact?.kind !== 'tensor') continue
      fact.shape?.forEach((d, i) => {
        const size = Number(actual.shape![i])
        if (typeof d !== 'string' || actual.shape!.length !== fact.shape!.length) return
        if ((sizes.get(d) ?? size) !== size) wrong.push(`${name}: ${d} is ${sizes.get(d)} and ${size}`)
        sizes.set(d, size)
      })
    }
  }
  return wrong
}

const shares: string[] = []
afterAll(() => console.log(shares.join('\n')))

/** The model without what its file states of values other than its inputs, so that inference stands alone. */
function bare(model: Model): Model {
  const strip = (graph: Graph): Graph => ({
    ...graph,
    values: new Map([...graph.values].filter(([name]) => graph.inputs.includes(name))),
  })
  return { ...model, graph: mapGraphs(model.graph, strip) }
}

describe.each(Object.entries(CASES))('%s', (name, feeds) => {
  const path = dataPath(`models/${name.split(' ')[0]}.onnx`)
  test.skipIf(path === null)('what is inferred is what a run gives, and nothing is left open', async () => {
    const model = bare(decodeModel(readFileSync(path!)))
    const measured = await shapesFromRun(model, feeds, engine, { values: 'all' })
    expect(measured.get(model.graph)!.size).toBe(
      new Set(model.graph.nodes.flatMap((n) => n.outputs).filter((o) => o !== '')).size,
    )
    const known = factsOf(model, { feeds, useDefaults: true })
    const open = factsOf(model)
    expect(untrue(known, measured)).toEqual([])
    expect(untrue(open, measured)).toEqual([])
    expect(inconsistent(open, measured)).toEqual([])
    const { total, known: full } = share(known, measured)
    shares.push(`${name}: ${full} of ${total} values fully known`)
    expect(full).toBe(total)
  })
})
