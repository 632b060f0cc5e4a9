/** Files that are not ONNX models but often given as such, told by their first bytes or extension, with the way out. */

import { PareError } from '../util/errors.js'

interface Format {
  readonly what: string
  readonly remedy: string
}

const TORCH: Format = {
  what: 'a PyTorch file',
  remedy:
    "Export it: torch.onnx.export(model, (example,), 'model.onnx', dynamo=True), or for a Transformers model: optimum-cli export onnx --model <folder> out/.",
}
const TRANSFORMERS: Format = {
  what: 'a safetensors file, which holds weights without a graph',
  remedy: 'Export the model that it belongs to: optimum-cli export onnx --model <folder or hub name> out/.',
}
const TFLITE: Format = {
  what: 'a LiteRT (TensorFlow Lite) file',
  remedy: 'Convert it: python -m tf2onnx.convert --tflite model.tflite --output model.onnx.',
}
const KERAS: Format = {
  what: 'a Keras file',
  remedy: "Export it: keras.saving.load_model('model.keras').export('model.onnx', format='onnx').",
}
const TENSORFLOW: Format = {
  what: 'a TensorFlow graph',
  remedy:
    'Convert it: python -m tf2onnx.convert --saved-model <folder> --output model.onnx (or --graphdef with --inputs and --outputs for a frozen graph).',
}
const PICKLE: Format = {
  what: 'a pickled Python object',
  remedy:
    "Export it from Python: torch.onnx.export for PyTorch, skl2onnx.to_onnx(model, x[:1]) for scikit-learn, and save the result's SerializeToString().",
}
const ZIP: Format = {
  what: 'a zip archive',
  remedy: 'Unpack it and give the .onnx file in it; a PyTorch or Keras file is exported with its own framework.',
}
const ORT: Format = {
  what: "a model in ONNX Runtime's own format",
  remedy: 'Give the .onnx file that it was made from.',
}
const GGUF: Format = {
  what: 'a GGUF file',
  remedy: 'Export the original model: optimum-cli export onnx --model <folder or hub name> out/.',
}
const LFS: Format = {
  what: 'a Git LFS pointer, not the file itself',
  remedy: 'Fetch the file: git lfs install && git lfs pull.',
}
const PAGE: Format = {
  what: 'a web page, not a model',
  remedy: 'Download the raw file; the link led to a page about it.',
}
const TENSOR: Format = {
  what: 'NumPy data',
  remedy: 'Give the .onnx file as the model and this file as samples.',
}

/** gzip, Zstandard, xz. */
const COMPRESSED: readonly (readonly number[])[] = [
  [0x1f, 0x8b],
  [0x28, 0xb5, 0x2f, 0xfd],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a],
]
const PACKED: Format = {
  what: 'a compressed file',
  remedy: 'Unpack it (gunzip, unzstd, unxz), and give the .onnx file in it.',
}
const CORE_ML: Format = {
  what: 'a Core ML model',
  remedy: 'Export the model that it was made from; Core ML itself has no way to ONNX.',
}
const TEXT: Format = {
  what: 'a text file',
  remedy: 'Give the .onnx file itself.',
}

const EXTENSIONS: Readonly<Record<string, Format>> = {
  pt: TORCH,
  pth: TORCH,
  ckpt: TORCH,
  bin: TORCH,
  safetensors: TRANSFORMERS,
  tflite: TFLITE,
  h5: KERAS,
  hdf5: KERAS,
  keras: KERAS,
  pb: TENSORFLOW,
  joblib: PICKLE,
  pkl: PICKLE,
  pickle: PICKLE,
  ort: ORT,
  gguf: GGUF,
  npz: TENSOR,
  npy: TENSOR,
  zip: ZIP,
  mlmodel: CORE_ML,
}

const extensionOf = (name: string): string => /\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? ''

/** The format that the first bytes (512 are plenty) belong to for certain; null where they might be ONNX. */
function byContent(name: string, head: Uint8Array): Format | null {
  const text = Array.from(head.subarray(0, 256), (b) => String.fromCharCode(b)).join('')
  const named = EXTENSIONS[extensionOf(name)]
  if (text.startsWith('version https://git-lfs.github.com/spec/')) return LFS
  if (/^\s*<(!doctype html|html|\?xml)/i.test(text)) return PAGE
  if (text.startsWith('PK\u0003\u0004')) return named ?? ZIP
  if (text.startsWith('\u0089HDF\r\n\u001a\n')) return KERAS
  if (text.startsWith('GGUF')) return GGUF
  if (text.startsWith('\u0093NUMPY')) return TENSOR
  if (text.slice(4, 8) === 'TFL3') return TFLITE
  if (text.slice(4, 8) === 'ORTM') return ORT
  if (COMPRESSED.some((magic) => magic.every((byte, i) => head[i] === byte))) return PACKED
  // Eight bytes of length, of which the upper ones are 0, then JSON.
  if (head[8] === 0x7b && head[5] === 0 && head[6] === 0 && head[7] === 0) return TRANSFORMERS
  // The opcode PROTO, then the protocol's number.
  if (head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5) return named ?? PICKLE
  return null
}

/** Nothing but printable characters and line ends; what a cut may have left of the last character does not count. */
function isText(head: Uint8Array): boolean {
  const text = new TextDecoder().decode(head.subarray(0, 256)).replace(/\ufffd+$/, '')
  return text !== '' && !/[^\t\n\r\u0020-\u007e\u00a0-\ufffc]/.test(text)
}

/** An error `MODEL_FORMAT` for a file of another format, or null. `decoded`: whether it was tried as ONNX, and failed. */
export function foreignFormat(name: string, head: Uint8Array, decoded?: unknown): PareError | null {
  const failed = decoded !== undefined
  const format =
    byContent(name, head) ?? (failed ? (EXTENSIONS[extensionOf(name)] ?? (isText(head) ? TEXT : null)) : null)
  if (format == null) return null
  return new PareError('MODEL_FORMAT', `this is no ONNX model but ${format.what}`, {
    where: name,
    remedy: format.remedy,
    cause: decoded,
  })
}
