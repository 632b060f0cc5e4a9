import { describe, expect, test } from 'vitest'
import { collect } from '../../test/collect.js'
import type { Feeds, ValueInfo } from '../engine/engine.js'
import { f32, numbers } from '../ir/tensor.js'
import type { Samples } from './samples.js'
import { carryLinks, withStates } from './state.js'

const value = (name: string, shape: (number | string)[], dtype = 'float32'): ValueInfo => ({ name, dtype, shape })

test('states are found by name, type and shape: the voice models', () => {
  const vad = carryLinks(
    [value('input', ['', '']), value('state', [2, '', 128]), value('sr', [], 'int64')],
    [value('output', ['', 1]), value('stateN', ['', '', ''])],
  )
  expect(vad).toEqual([{ output: 'stateN', input: 'state' }])
  const caches = ['conv_cache', 'tra_cache', 'inter_cache']
  const denoiser = carryLinks(
    [value('mix', [1, 257, 1, 2]), ...caches.map((name, i) => value(name, [2, i]))],
    [value('enh', [1, 257, 1, 2]), ...caches.map((name, i) => value(`${name}_out`, [2, i]))],
  )
  expect(denoiser).toEqual(caches.map((input) => ({ output: `${input}_out`, input })))
})

test('common names of hidden states', () => {
  const pairs = { h_in: 'h_out', c0: 'cn', hx: 'hy', prev_state: 'new_state', hidden_in: 'hidden_out', h: 'h_out' }
  for (const [input, output] of Object.entries(pairs)) {
    expect(carryLinks([value(input, [1, 8])], [value(output, [1, 8])]), input).toEqual([{ output, input }])
  }
})

test('no link where the shape or type differs, nor for an image that goes in and comes out', () => {
  expect(carryLinks([value('state', [1, 8])], [value('stateN', [1, 9])])).toEqual([])
  expect(carryLinks([value('state', [1, 8])], [value('stateN', [1, 8], 'int64')])).toEqual([])
  expect(carryLinks([value('input', [1, 8])], [value('output', [1, 8])])).toEqual([])
  expect(carryLinks([value('image', [1, 8])], [value('image_out', [1, 8])])).toEqual([])
})

test('explicit links win, and are checked', () => {
  const inputs = [value('input_2', [1, 257]), value('input_3', [2, 128])]
  const outputs = [value('activation_2', [1, 257]), value('stack', [2, 128])]
  expect(carryLinks(inputs, outputs)).toEqual([])
  expect(carryLinks(inputs, outputs, { stack: 'input_3' })).toEqual([{ output: 'stack', input: 'input_3' }])
  expect(carryLinks([value('state', [1])], [value('stateN', [1])], {})).toEqual([])
  expect(() => carryLinks(inputs, outputs, { stack: 'nope' })).toThrow(expect.objectContaining({ code: 'STATE_NAME' }))
  expect(() => carryLinks(inputs, outputs, { stack: 'input_2' })).toThrow(
    expect.objectContaining({ code: 'STATE_SHAPE' }),
  )
})

describe('states', () => {
  const frame = (x: number, sequence?: string) => ({
    feeds: { x: f32([1], [x]), h: f32([1], [0]) },
    name: `${x}`,
    ...(sequence !== undefined && { sequence }),
  })
  const links = [{ output: 'hn', input: 'h' }]
  /** hn = h + x: the sum of all frames of a recording. */
  const model = {
    run: async (feeds: Feeds) => ({ hn: f32([1], [numbers(feeds.h!)[0]! + numbers(feeds.x!)[0]!]) }),
  }
  const samples: Samples = {
    name: 'frames',
    count: 6,
    carry: links,
    async *read() {
      yield* [frame(1, 'a'), frame(2, 'a'), frame(4, 'a'), frame(8, 'b'), frame(16), frame(32)]
    },
  }

  test('go from frame to frame, and start afresh with each recording and each frame of none', async () => {
    const read = await collect(withStates(samples, model).read())
    expect(read.map(({ feeds }) => numbers(feeds.h!)[0])).toEqual([0, 1, 3, 0, 0, 0])
    expect(withStates(samples, model).carry).toBe(undefined)
  })

  test('samples of a model without any are handed on', () => {
    const { carry: _, ...plain } = samples
    expect(withStates(plain, model)).toBe(plain)
  })
})
