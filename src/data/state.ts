/**
 * States of recurrent models: which output is fed back to which input at the next frame. Readers give frames in order,
 * with a `sequence` name that changes where a new recording begins; whoever runs the samples carries the state
 * (`carriedStates`): what the sample gives at the start of a sequence, mostly zeros, then the outputs of the last frame.
 */

import type { Feeds, Session, ValueInfo } from '../engine/engine.js'
import type { Tensor } from '../ir/types.js'
import { PareError } from '../util/errors.js'
import type { Sample, Samples } from './samples.js'

export interface StateLink {
  readonly output: string
  readonly input: string
}

/** Words that make an input's name one of a state. An image that goes in and comes out in one shape is none. */
const STATE = /state|hidden|cell|cache|memory|mem(?=_|$)|buffer|carry|context|(?:^|[_.])[hc](?:\d|x|n|_|\.|$)/i

/**
 * Links from outputs to inputs. With `explicit` ({ output: input }) those and no others; `{}` gives none. Without, an
 * input whose name speaks of a state is linked to the output of the same type and shape that is called alike:
 * `state` and `stateN`, `conv_cache` and `conv_cache_out`, `h_in` and `h_out`, `h0` and `hn`, `hx` and `hy`.
 * Throws `STATE_NAME` and `STATE_SHAPE` for explicit links that cannot be.
 */
export function carryLinks(
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
  explicit?: Readonly<Record<string, string>>,
): readonly StateLink[] {
  if (explicit) return Object.entries(explicit).map(([output, input]) => explicitLink(inputs, outputs, output, input))
  return inputs.flatMap((input) => {
    if (!STATE.test(input.name)) return []
    const names = successors(input.name)
    const output = outputs.find((o) => names.has(o.name.toLowerCase()) && compatible(o, input))
    return output ? [{ output: output.name, input: input.name }] : []
  })
}

/** Carries the states of one model along its frames. */
export function carriedStates(links: readonly StateLink[]) {
  let sequence: string | undefined
  let state: Feeds = {}
  return {
    /** What the next frame is run on. A frame without a sequence stands alone. */
    feeds(frame: Pick<Sample, 'feeds' | 'sequence'>): Feeds {
      if (frame.sequence === undefined || frame.sequence !== sequence) state = {}
      sequence = frame.sequence
      return { ...frame.feeds, ...state }
    },
    /** Takes what the model made of that frame. */
    remember(outputs: Readonly<Record<string, Tensor>>): void {
      state = Object.fromEntries(links.map(({ output, input }) => [input, outputs[output]!]))
    },
  }
}

/** The samples with the states that this model carries along them: each stands alone then. */
export function withStates(samples: Samples, model: Pick<Session, 'run'>): Samples {
  const { carry: links = [], ...rest } = samples
  if (links.length === 0) return samples
  return {
    ...rest,
    async *read(options = {}) {
      const states = carriedStates(links)
      for await (const sample of samples.read(options)) {
        const feeds = states.feeds(sample)
        yield { ...sample, feeds }
        if (sample.sequence !== undefined) {
          states.remember(await model.run(feeds, { ...options, outputs: links.map(({ output }) => output) }))
        }
      }
    },
  }
}

function successors(name: string): ReadonlySet<string> {
  const base = name.toLowerCase()
  const names = ['out', 'new', 'next', 'n'].flatMap((word) => [`${base}_${word}`, `${word}_${base}`, `${base}.${word}`])
  names.push(`${base}n`, `${base}out`, `output_${base}`, `${base}_output`, `updated_${base}`)
  names.push(base.replace(/(?<![a-z])in(?:put)?(?![a-z])/, (word) => (word === 'in' ? 'out' : 'output')))
  names.push(
    base.replace(/0$/, 'n'),
    base.replace(/x$/, 'y'),
    base.replace(/(?<![a-z])(?:prev|old|last)(?![a-z])/, 'new'),
  )
  return new Set(names.filter((n) => n !== base))
}

/** Equal types, and shapes without two known lengths that differ. */
function compatible(a: ValueInfo, b: ValueInfo): boolean {
  if (a.dtype !== b.dtype) return false
  if (!a.shape || !b.shape) return true
  return (
    a.shape.length === b.shape.length &&
    a.shape.every((d, i) => typeof d === 'string' || typeof b.shape![i] === 'string' || d === b.shape![i])
  )
}

function explicitLink(
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
  output: string,
  input: string,
): StateLink {
  const from = outputs.find(({ name }) => name === output)
  const to = inputs.find(({ name }) => name === input)
  if (!from || !to) {
    const list = (values: readonly ValueInfo[]) => values.map(({ name }) => name).join(', ')
    throw new PareError('STATE_NAME', `the model has no ${from ? 'input' : 'output'} of this name`, {
      value: from ? input : output,
      remedy: `Link one of the outputs ${list(outputs)} to one of the inputs ${list(inputs)}.`,
    })
  }
  if (!compatible(from, to)) {
    throw new PareError('STATE_SHAPE', 'an output can feed an input only if type and shape are the same', {
      where: `${output} to ${input}`,
      value: `${from.dtype} [${from.shape}] to ${to.dtype} [${to.shape}]`,
      remedy: 'Link another output.',
    })
  }
  return { output, input }
}
