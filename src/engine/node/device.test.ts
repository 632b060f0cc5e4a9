import { expect, test } from 'vitest'
import { remedyFor, tryDevice } from './device.js'

test('each device has a remedy of its own', () => {
  expect(remedyFor('webgpu', 'linux')).toContain('libvulkan1')
  expect(remedyFor('webgpu', 'darwin')).not.toContain('apt')
  expect(remedyFor('cuda')).toContain('--onnxruntime-node-install=cuda12')
  expect(remedyFor('tensorrt')).toContain('TensorRT')
  expect(remedyFor('qnn')).toContain('device cpu')
})

test('a device that works is none to complain of, one that the runtime lacks is told from one that fails', async () => {
  await tryDevice({ runtime: 'native', device: 'cpu', threads: 1 })
  await expect(tryDevice({ runtime: 'native', device: 'tpu', threads: 1 })).rejects.toMatchObject({
    code: 'ENGINE_DEVICE',
    detail: { remedy: expect.stringContaining('It has cpu') },
  })
})
