import { expect, test } from 'vitest'
import { parseProfile } from './profile.js'

const event = (cat: string, name: string, ts: number, dur: number, op?: string) => ({
  cat,
  name,
  ts,
  dur,
  ...(op && { args: { op_name: op } }),
})

test('milliseconds a run, without the first; nodes of a subgraph add up over its rounds', () => {
  const run = (at: number, us: number) => [
    event('Session', 'model_run', at, 500),
    event('Node', 'gemm_fence_before', at, 1),
    event('Node', 'gemm_kernel_time', at + 10, us, 'Gemm'),
    event('Node', 'sine_kernel_time', at + 20, us / 4, 'Sin'),
    event('Node', 'sine_kernel_time', at + 30, us / 4, 'Sin'),
  ]
  const trace = [
    event('Session', 'session_initialization', 0, 90),
    ...run(100, 9000),
    ...run(1000, 40),
    ...run(2000, 80),
  ]
  expect(parseProfile(JSON.stringify(trace), 2)).toEqual([
    { name: 'gemm', op: 'Gemm', ms: 0.06 },
    { name: 'sine', op: 'Sin', ms: 0.03 },
  ])
})

test('a profile that was cut short is an error', () => {
  expect(() => parseProfile('[{"cat":', 1)).toThrow(/cannot be read/)
})
