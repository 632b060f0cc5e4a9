/**
 * Writes src/onnx/schema_pb.ts from src/onnx/schema.proto. Needs `protoc` (27 or newer) on the path, or its command
 * in PROTOC, e.g. `PROTOC="python3 -m grpc_tools.protoc" npx tsx scripts/protoc.ts`.
 */

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const [command = 'protoc', ...prefix] = (process.env.PROTOC ?? 'protoc').split(' ')
const folder = join(root, 'src/onnx')
const plugin = join(root, 'node_modules/.bin/protoc-gen-es')
execFileSync(
  command,
  [
    ...prefix,
    `--plugin=protoc-gen-es=${plugin}`,
    `-I${folder}`,
    `--es_out=${folder}`,
    '--es_opt=target=ts,import_extension=js',
    'schema.proto',
  ],
  { stdio: 'inherit' },
)
