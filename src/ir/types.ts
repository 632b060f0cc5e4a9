/**
 * The intermediate representation: an ONNX model as plain, readonly data. Values are referred to by
 * name, tensors are shared and never copied, and every level keeps what this version does not know.
 */

export type KnownDType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'int4'
  | 'uint4'
  | 'int2'
  | 'uint2'
  | 'float8e4m3fn'
  | 'float8e4m3fnuz'
  | 'float8e5m2'
  | 'float8e5m2fnuz'
  | 'float8e8m0'
  | 'float4e2m1'
  | 'complex64'
  | 'complex128'
  | 'bool'
  | 'string'

/** `undefined` and `#27` (a data type code newer than this library) occur in files and are carried along. */
export type DType = KnownDType | 'undefined' | `#${number}`

/** A field of the file format that this version does not know, kept as its bytes on the wire. */
export interface UnknownField {
  readonly no: number
  readonly wireType: number
  readonly data: Uint8Array
}

/** What any part of a model may carry besides its meaning; written back as it was read. */
export interface Annotated {
  readonly doc?: string
  readonly metadata?: ReadonlyMap<string, string>
  readonly unknown?: readonly UnknownField[]
}

/** Where a tensor's bytes lie when they are not in the model file. */
export interface ExternalRef {
  readonly location: string
  readonly offset: number
  readonly length: number
  /** Other entries of the reference, such as a checksum. */
  readonly extra?: ReadonlyMap<string, string>
}

export interface Tensor extends Annotated {
  /** Of a tensor inside an attribute; a graph's constants go by their key. */
  readonly name?: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Size of `bytes()`, known without loading them; of strings, the sum of their lengths. */
  readonly byteLength: number
  /** Little-endian elements, row-major; 4- and 2-bit types packed low bits first. Loaded when asked for. */
  bytes(): Uint8Array
  /** The elements of a `string` tensor as raw bytes (ONNX does not promise UTF-8). */
  strings?(): readonly Uint8Array[]
  readonly external?: ExternalRef
}

/** A dimension: known, symbolic, or unknown. */
export type Dim = number | string | null

/** Fields that this version does not know, inside the parts that make up a type. */
export interface TypeUnknown {
  readonly type?: readonly UnknownField[]
  /** Of the tensor, sequence, map, optional or opaque type itself. */
  readonly kind?: readonly UnknownField[]
  readonly shape?: readonly UnknownField[]
  /** By position of the dimension. */
  readonly dims?: ReadonlyMap<number, readonly UnknownField[]>
}

interface ValueBase extends Annotated {
  readonly denotation?: string
  readonly typeUnknown?: TypeUnknown
}
export interface TensorValue extends ValueBase {
  readonly kind: 'tensor' | 'sparse'
  readonly dtype: DType
  /** `null` where not even the rank is known. */
  readonly shape: readonly Dim[] | null
  /** One a dimension, '' where it has none. */
  readonly denotations?: readonly string[]
}
export interface SequenceValue extends ValueBase {
  readonly kind: 'sequence'
  readonly element: Value
}
export interface OptionalValue extends ValueBase {
  readonly kind: 'optional'
  readonly element: Value
}
export interface MapValue extends ValueBase {
  readonly kind: 'map'
  readonly key: DType
  readonly element: Value
}
export interface OpaqueValue extends ValueBase {
  readonly kind: 'opaque'
  readonly domain: string
  readonly name: string
}
/** A name that is declared without a type. */
export interface UntypedValue extends ValueBase {
  readonly kind: 'untyped'
}
/** What is known about a named value: its type, not its content. */
export type Value = TensorValue | SequenceValue | OptionalValue | MapValue | OpaqueValue | UntypedValue

export interface SparseTensor extends Annotated {
  readonly values: Tensor
  readonly indices: Tensor
  readonly shape: readonly number[]
}

interface AttrBase extends Annotated {
  /** Inside a function: the name of the function's attribute that this one takes its value from. */
  readonly ref?: string
}
/** An attribute. Integers are 64 bits wide; strings are bytes. `ir/attrs.ts` has readers and makers. */
export type Attr = AttrBase &
  (
    | { readonly type: 'float'; readonly value: number }
    | { readonly type: 'int'; readonly value: bigint }
    | { readonly type: 'string'; readonly value: Uint8Array }
    | { readonly type: 'tensor'; readonly value: Tensor }
    | { readonly type: 'graph'; readonly value: Graph }
    | { readonly type: 'sparse'; readonly value: SparseTensor }
    | { readonly type: 'type'; readonly value: Value }
    | { readonly type: 'floats'; readonly value: readonly number[] }
    | { readonly type: 'ints'; readonly value: readonly bigint[] }
    | { readonly type: 'strings'; readonly value: readonly Uint8Array[] }
    | { readonly type: 'tensors'; readonly value: readonly Tensor[] }
    | { readonly type: 'graphs'; readonly value: readonly Graph[] }
    | { readonly type: 'sparses'; readonly value: readonly SparseTensor[] }
    | { readonly type: 'types'; readonly value: readonly Value[] }
    /** Declared without a value: a reference, or a type that this version does not know; `code` is the file's for it. */
    | { readonly type: 'undefined'; readonly code?: number; readonly value?: undefined }
  )

export interface Node extends Annotated {
  /** May be empty, and need not be unique. */
  readonly name: string
  /** '' is the standard domain (also written `ai.onnx`). */
  readonly domain: string
  readonly op: string
  readonly overload?: string
  /** Names of values; '' = an optional input that is absent. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attrs: Readonly<Record<string, Attr>>
}

export interface QuantAnnotation {
  readonly tensor: string
  readonly parameters: ReadonlyMap<string, string>
  readonly unknown?: readonly UnknownField[]
}

export interface Graph extends Annotated {
  readonly name: string
  /** In files of IR version 3 and before, constants are listed here too. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Topologically sorted. */
  readonly nodes: readonly Node[]
  readonly constants: ReadonlyMap<string, Tensor>
  readonly sparseConstants?: ReadonlyMap<string, SparseTensor>
  /** Types of inputs, outputs and, where the file has them, values between. */
  readonly values: ReadonlyMap<string, Value>
  readonly quantAnnotations?: readonly QuantAnnotation[]
}

export interface Func extends Annotated {
  readonly name: string
  readonly domain: string
  readonly overload?: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Attributes without and with a default. */
  readonly attributes: readonly string[]
  readonly defaults: Readonly<Record<string, Attr>>
  readonly opsets: ReadonlyMap<string, number>
  readonly nodes: readonly Node[]
  readonly values: ReadonlyMap<string, Value>
}

export interface Model extends Annotated {
  readonly irVersion: number
  readonly producer: { readonly name: string; readonly version: string }
  readonly domain: string
  readonly version: bigint
  readonly opsets: ReadonlyMap<string, number>
  readonly graph: Graph
  readonly functions: readonly Func[]
  /** `metadata_props` of the model. */
  readonly metadata: ReadonlyMap<string, string>
}
