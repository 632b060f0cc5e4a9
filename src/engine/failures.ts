/** What ONNX Runtime says when it refuses, told as a `PareError`: which node, what is wrong, what helps. */

import { messageOf, PareError } from '../util/errors.js'

/** A model that the engine would not load. `model` names it: a path, or `model`. */
export function loadFailure(error: unknown, model: string): PareError {
  if (error instanceof PareError) return error
  const message = messageOf(error)
  const { what, remedy } = explainLoad(message)
  const node = nodeIn(message)
  return new PareError('ENGINE_LOAD', what, {
    where: node === undefined ? model : `${model}, node ${node}`,
    remedy,
    cause: error,
  })
}

function explainLoad(message: string): { readonly what: string; readonly remedy: string } {
  const op = /(?:not find an implementation for|Fatal error:|No Op registered for) ([\w.:]+(?:\([-\d]+\))?)/.exec(
    message,
  )
  if (op !== null && /implementation|not a registered|No Op registered/.test(message)) {
    return {
      what: `the engine has no kernel for operator ${op[1]}`,
      remedy: 'Run on another device, replace the operator, or convert its inputs to a type that the engine computes.',
    }
  }
  if (
    /opset \d+ is (?:under development|not)|Unsupported model IR version|IR_VERSION|unsupported .*opset/i.test(message)
  ) {
    return {
      what: 'the model asks for a newer opset or file version than the engine has',
      remedy: 'Export it with an older opset, or install a newer onnxruntime-node and onnxruntime-web.',
    }
  }
  if (/protobuf parsing failed|Protobuf parsing|ModelProto does not have a graph/i.test(message)) {
    return {
      what: 'the engine cannot read this as an ONNX model',
      remedy: 'Check that the file is whole: `pare inspect`.',
    }
  }
  if (/external (?:data|initializer)|model_path must not be empty|ExternalData|external_data/i.test(message)) {
    return {
      what: 'the engine cannot reach the external data of the model',
      remedy: 'Give the path of the model file, with its data files beside it, instead of its bytes.',
    }
  }
  if (/doesn't exist|does not exist|ENOENT|No such file|cannot open/i.test(message)) {
    return { what: 'the engine cannot open a file of the model', remedy: 'Check the path.' }
  }
  if (/unsupported data type|MLDataType for/i.test(message)) {
    return {
      what: 'an input or output of the model has an element type that the JavaScript engine does not carry',
      remedy: 'Cast it to float32 or float16 inside the model.',
    }
  }
  if (
    /Invalid model|is invalid|Type Error|Node .* has input size|Unrecognized attribute|ShapeInferenceError|TypeInferenceError/.test(
      message,
    )
  ) {
    return { what: `the model breaks the rules of ONNX: ${wordsOf(message)}`, remedy: 'Export the model again.' }
  }
  if (/bad_alloc|out of memory|Failed to allocate|memory access out of bounds/i.test(message)) {
    return {
      what: 'the engine ran out of memory while loading the model',
      remedy: 'Free memory, or use a smaller model.',
    }
  }
  return { what: `the engine refused the model: ${wordsOf(message)}`, remedy: '`pare inspect` shows the model.' }
}

const MOST_WORDS = 400

/** The engine's own words, on one line, without what it says of its sources and of what is said already. */
function wordsOf(message: string): string {
  const words = message
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^.*? Status Message: /, '')
    .replace(/^Load model from .*? failed: ?/, '')
    .replace(/^\S+\.(?:cc|cpp|h):\d+ .*?\) (?:const )?(?:\[with .*?\] )?/, '')
    .replace(/[.\s]+$/, '')
  return words.length > MOST_WORDS ? `${words.slice(0, MOST_WORDS - 3)}...` : words
}

/** A run that failed inside the engine. */
export function runFailure(error: unknown, model: string): PareError {
  if (error instanceof PareError) return error
  const message = messageOf(error)
  const node = nodeIn(message)
  const memory = /bad_alloc|out of memory|Failed to allocate|memory access out of bounds/i.test(message)
  return new PareError(
    'ENGINE_RUN',
    memory ? 'the engine ran out of memory' : `the engine failed while it ran the model: ${wordsOf(message)}`,
    {
      where: node === undefined ? model : `${model}, node ${node}`,
      remedy: memory
        ? 'Run smaller batches, or a smaller model.'
        : 'Check that the inputs have values and shapes that the model was made for.',
      cause: error,
    },
  )
}

function nodeIn(message: string): string | undefined {
  const named = /Name:\s*'([^']+)'|[Nn]ode\s*\(([^)]+)\)|node with name '([^']+)'|\bNode:\s*([^\s,]+)/.exec(message)
  return named?.slice(1).find((part) => part !== undefined && part !== '')
}

/** What a call throws once its signal fired, whoever noticed first: `ABORTED`. Any other error as it is. */
export function cancelled(error: unknown, signal: AbortSignal | undefined): unknown {
  if (!signal?.aborted || (error instanceof PareError && error.code === 'ABORTED')) return error
  const isTheSignal = error === signal.reason || (error instanceof Error && error.name === 'AbortError')
  return isTheSignal ? aborted(signal.reason) : error
}

export function aborted(reason: unknown): PareError {
  return new PareError('ABORTED', 'cancelled', { remedy: 'Start again when you want the result.', cause: reason })
}

/** For work between calls of the engine. Throws `ABORTED` once the signal fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal.reason)
}
