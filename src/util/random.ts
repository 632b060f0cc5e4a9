/**
 * Seeded random numbers: the generator xoshiro128** 1.1 (Blackman and Vigna, "Scrambled Linear Pseudorandom
 * Number Generators", ACM TOMS 47, 2021), its state filled from the seed by SplitMix32-style mixing.
 * Equal seeds give equal sequences on every platform. Not for cryptography.
 */

import { PareError } from './errors.js'

export interface Random {
  /** The next 32 bits, as an integer in [0, 2^32). */
  bits(): number
  /** Uniform in [0, 1), 53 bits; with bounds, in [low, high). */
  uniform(low?: number, high?: number): number
  /** Uniform over 0 … n - 1, without bias. Throws `RANDOM_RANGE` unless n is an integer in [1, 2^32]. */
  integer(n: number): number
  /** Standard normal; with arguments, of this mean and standard deviation. */
  normal(mean?: number, deviation?: number): number
  /** Permutes the items in place, every order equally likely (Fisher-Yates), and returns them. */
  shuffle<T extends { readonly length: number; [index: number]: unknown }>(items: T): T
  /** A generator of its own for a part of the work: draws there do not disturb draws here. Same `stream`, same numbers. */
  fork(stream: number): Random
}

/** A generator for a seed: any safe integer, of which the low 53 bits count. */
export function random(seed = 0): Random {
  if (!Number.isSafeInteger(seed)) {
    throw new PareError('RANDOM_SEED', 'a seed must be a whole number', { value: seed, remedy: 'Give e.g. 0.' })
  }
  return generator(seed, 0)
}

function generator(seed: number, stream: number): Random {
  let [a, b, c, d] = seedState(seed, stream)
  let spare: number | null = null

  const bits = (): number => {
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = rotl(d, 11)
    return result
  }

  const unit = (): number => ((bits() >>> 5) * 2 ** 26 + (bits() >>> 6)) * 2 ** -53

  const integer = (n: number): number => {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new PareError('RANDOM_RANGE', 'a random integer needs a range of 1 to 2^32 values', {
        value: n,
        remedy: 'Give a positive whole number.',
      })
    }
    const fair = 2 ** 32 - (2 ** 32 % n)
    for (;;) {
      const x = bits()
      if (x < fair) return x % n
    }
  }

  // Box and Muller: sqrt(-2 ln u) (cos, sin)(2 pi v) are two independent standard normals for uniform u in (0, 1], v.
  const standardNormal = (): number => {
    if (spare !== null) {
      const value = spare
      spare = null
      return value
    }
    const radius = Math.sqrt(-2 * Math.log(1 - unit()))
    const angle = 2 * Math.PI * unit()
    spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  return {
    bits,
    integer,
    uniform: (low = 0, high = 1) => low + (high - low) * unit(),
    normal: (mean = 0, deviation = 1) => mean + deviation * standardNormal(),
    shuffle(items) {
      const list = items as { readonly length: number; [index: number]: unknown }
      for (let i = list.length - 1; i > 0; i--) {
        const j = integer(i + 1)
        const kept = list[i]
        list[i] = list[j]
        list[j] = kept
      }
      return items
    },
    fork: (child) => generator(seed, mix32((stream + 1) ^ mix32(child + 1)) || 1),
  }
}

const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k))

/** The finalizer of MurmurHash3: a bijection of 32-bit integers whose every output bit depends on every input bit. */
function mix32(x: number): number {
  let h = x | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Four words from a Weyl sequence through the mixer; never all zero, as the mixer is a bijection and zero occurs once. */
function seedState(seed: number, stream: number): [number, number, number, number] {
  const high = Math.floor(seed / 2 ** 32) | 0
  let weyl = mix32(seed | 0) ^ mix32(high + 0x51ed27) ^ stream
  const word = (): number => {
    weyl = (weyl + 0x9e3779b9) | 0
    return mix32(weyl)
  }
  return [word(), word(), word(), word()]
}
