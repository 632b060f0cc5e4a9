/** Facts for `pare doctor`: engines, devices, processor, memory, optional packages, and what is missing. */

import { execFile } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, availableParallelism, cpus, freemem, platform, totalmem } from 'node:os'
import { dirname, join, sep } from 'node:path'
import { promisify } from 'node:util'
import { messageOf, PareError } from '../../util/errors.js'
import { connect } from '../link.js'
import { coresIn, cpuinfo, physicalCores } from './cores.js'
import { openEngine } from './open.js'
import { INSTALL_NATIVE } from './ort-node.js'
import { INSTALL_WEB } from './ort-web.js'
import { startThread } from './port.js'

export interface PackageFacts {
  readonly name: string
  /** Null where it is not installed. */
  readonly version: string | null
  readonly path: string | null
  /** Bytes of its files on disk. */
  readonly size: number | null
  readonly use: string
  /** The command that gets it, where it is missing. */
  readonly install: string | null
}

export interface DeviceFacts {
  readonly device: string
  readonly works: boolean
  /** Why it does not. */
  readonly problem: string | null
  /** What gets it to work. */
  readonly remedy: string | null
}

export interface DoctorFacts {
  readonly node: string
  readonly platform: string
  readonly engines: readonly PackageFacts[]
  readonly devices: readonly DeviceFacts[]
  readonly cpu: {
    readonly model: string
    /** Null where the system does not tell. */
    readonly physicalCores: number | null
    readonly logicalCores: number
    /** What the engine uses by default. */
    readonly threads: number
    /** Instruction sets that decide the speed of quantized models, those that are there; null where unknown. */
    readonly features: readonly string[] | null
  }
  /** Bytes. */
  readonly memory: { readonly total: number; readonly free: number }
  readonly packages: readonly PackageFacts[]
}

const ENGINES = [
  { name: 'onnxruntime-node', use: 'the native engine', install: INSTALL_NATIVE },
  { name: 'onnxruntime-web', use: 'WebAssembly, and the engine in browsers', install: INSTALL_WEB },
]
const OPTIONAL = [{ name: 'sharp', use: 'reading images', install: 'npm install sharp' }]

/** Gathers the facts; opens each device once, which takes about a second. */
export async function doctorFacts(): Promise<DoctorFacts> {
  const text = cpuinfo()
  const [engines, packages, devices, features, physical] = await Promise.all([
    Promise.all(ENGINES.map(packageFacts)),
    Promise.all(OPTIONAL.map(packageFacts)),
    deviceFacts(),
    cpuFeatures(text),
    macNumber('hw.physicalcpu'),
  ])
  return {
    node: process.version,
    platform: `${platform()}-${arch()}`,
    engines,
    devices,
    cpu: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      physicalCores: coresIn(text) ?? physical,
      logicalCores: availableParallelism(),
      threads: physicalCores(),
      features,
    },
    memory: { total: totalmem(), free: freemem() },
    packages,
  }
}

async function packageFacts({ name, use, install }: (typeof ENGINES)[number]): Promise<PackageFacts> {
  try {
    const path = folderOf(name)
    const { version } = JSON.parse(await readFile(join(path, 'package.json'), 'utf8')) as { version: string }
    return { name, version, path, size: await sizeOf(path), use, install: null }
  } catch {
    return { name, version: null, path: null, size: null, use, install }
  }
}

/** The folder of a package, which need not export its package.json. */
function folderOf(name: string): string {
  const entry = createRequire(import.meta.url).resolve(name)
  const inside = `${sep}node_modules${sep}${name.replace('/', sep)}`
  const at = entry.lastIndexOf(inside)
  return at < 0 ? dirname(entry) : entry.slice(0, at + inside.length)
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true })
  const sizes = await Promise.all(
    entries.map((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return sizeOf(path)
      return entry.isFile() ? stat(path).then(({ size }) => size) : 0
    }),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function deviceFacts(): Promise<readonly DeviceFacts[]> {
  const facts: DeviceFacts[] = []
  for (const device of await listedDevices()) facts.push(await tryDevice(device))
  return facts
}

/** The native runtime's list, and WebAssembly. */
async function listedDevices(): Promise<readonly string[]> {
  try {
    const link = await connect(startThread({ runtime: 'native', device: 'cpu', threads: 1 }))
    await link.close()
    return [...link.facts.backends, 'wasm']
  } catch {
    return ['cpu', 'wasm']
  }
}

async function tryDevice(device: string): Promise<DeviceFacts> {
  let warning: string | null = null
  try {
    const engine = await openEngine({
      device,
      onWarning: (message) => {
        warning = message
      },
    })
    await engine.close()
    return { device, works: warning === null, problem: warning, remedy: null }
  } catch (error) {
    if (!(error instanceof PareError)) return { device, works: false, problem: messageOf(error), remedy: null }
    const problem = error.what.replace(/^the device does not work here: /, '')
    return { device, works: false, problem, remedy: error.detail.remedy }
  }
}

/** By the names that Linux gives them. */
const LINUX: Readonly<Record<string, string>> = {
  avx2: 'avx2',
  avx512f: 'avx512f',
  avx512_vnni: 'avx512_vnni',
  avx_vnni: 'avx_vnni',
  amx_int8: 'amx',
  asimd: 'neon',
  asimddp: 'dotprod',
  i8mm: 'i8mm',
}
const MAC: Readonly<Record<string, string>> = {
  'hw.optional.avx2_0': 'avx2',
  'hw.optional.avx512f': 'avx512f',
  'hw.optional.avx512vnni': 'avx512_vnni',
  'hw.optional.neon': 'neon',
  'hw.optional.arm.FEAT_DotProd': 'dotprod',
  'hw.optional.arm.FEAT_I8MM': 'i8mm',
}

/** Instruction sets that decide the speed of quantized models; null where the system does not tell. */
export async function cpuFeatures(text = cpuinfo()): Promise<readonly string[] | null> {
  if (platform() === 'linux') return featuresIn(text)
  if (platform() !== 'darwin') return null
  const there = await Promise.all(
    Object.entries(MAC).map(async ([key, name]) => ((await macNumber(key)) === 1 ? [name] : [])),
  )
  return there.flat()
}

/** From the text of `/proc/cpuinfo`; null where it lists no flags. */
export function featuresIn(text: string): readonly string[] | null {
  const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(text)?.[1]?.split(/\s+/)
  if (flags === undefined) return null
  return Object.entries(LINUX).flatMap(([flag, name]) => (flags.includes(flag) ? [name] : []))
}

async function macNumber(key: string): Promise<number | null> {
  if (platform() !== 'darwin') return null
  try {
    const { stdout } = await promisify(execFile)('sysctl', ['-n', key])
    return Number(stdout.trim())
  } catch {
    return null
  }
}
