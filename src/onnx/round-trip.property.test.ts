/** Any model that is valid as a graph is the same after it was encoded and decoded. */

import { toBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { arbitraryModel } from '../../test/arbitrary-models.js'
import { plainModel } from '../../test/plain.js'
import { decodeModel, encodeModel } from './codec.js'
import { protoOfModel } from './encode.js'
import { ModelProtoSchema } from './schema_pb.js'

test('decode(encode(model)) = model, and the bytes are those of protobuf-es', () => {
  fc.assert(
    fc.property(arbitraryModel, (model) => {
      const { bytes } = encodeModel(model)
      expect(Buffer.compare(bytes, toBinary(ModelProtoSchema, protoOfModel(model, { place: () => null })))).toBe(0)
      expect(plainModel(decodeModel(bytes))).toEqual(plainModel(model))
    }),
    { numRuns: 500 },
  )
})
