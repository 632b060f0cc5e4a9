import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundledMapScript, MAP_SCRIPT_FILE } from '../../../scripts/map-script.js'
import { hasChromium, openBrowser } from '../../../test/browser.js'
import { expectWhole } from '../../../test/report/markup.js'
import { random } from '../../util/random.js'
import { type MapReport, renderMap } from './map-page.js'

const EVIL = '</script><img src=x onerror="document.title=\'evil\'">'

/** Three classes of a hundred points around (−5, 0), (5, 0) and (0, 8), and one point far to the right. */
function reportOf(): MapReport {
  const { normal } = random(4)
  const middles = [
    [-5, 0],
    [5, 0],
    [0, 8],
  ] as const
  const rows = [...Array.from({ length: 300 }, (_, i) => middles[i % 3]!), [20, 0] as const]
  return {
    title: `t-SNE of ${EVIL}`,
    note: 'Rows that are alike lie close together.',
    map: {
      x: Float32Array.from(rows, ([x], i) => (i === 300 ? x : normal(x, 0.5))),
      y: Float32Array.from(rows, ([, y], i) => (i === 300 ? y : normal(y, 0.5))),
      axes: ['tsne1', 'tsne2'],
      columns: [
        { kind: 'category', name: 'kind', codes: Int32Array.from(rows, (_, i) => i % 3), levels: ['a', EVIL, 'c,d'] },
        { kind: 'number', name: 'size', values: Float64Array.from(rows, (_, i) => (i === 7 ? Number.NaN : i / 10)) },
      ],
    },
    facts: [['perplexity', '30']],
    losses: { values: [3, 2, 1.5], first: 50, every: 50 },
    commandLine: 'pare reduce table.csv --method tsne -o map.csv',
  }
}

test('the committed script is that of its sources (npm run build renews it)', async () => {
  expect(await readFile(MAP_SCRIPT_FILE, 'utf8')).toBe(await bundledMapScript())
})

test('the page is one file whose policy lets its own script run alone; names of strangers stay text', () => {
  const page = renderMap(reportOf())
  const [data] = /<script type="application\/json"[^>]*>([^<]*)<\/script>/.exec(page)!.slice(1)
  expect(JSON.parse(data!).columns[0].levels[1]).toBe(EVIL)
  const scripts = [...page.matchAll(/<script(?![^>]*json)[^>]*>/g)]
  expect(scripts).toHaveLength(1)
  expect(page).toContain('<h1>t-SNE of &lt;/script&gt;&lt;img src=x')
  expect(page).toContain("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")
  expect(renderMap(reportOf())).toBe(page)
})

test('without its scripts the page is as whole as any report', () => {
  const page = renderMap({ ...reportOf(), title: 't-SNE of table.csv' })
  expectWhole(page.replaceAll(/<script[\s\S]*?<\/script>/g, ''))
  expect(page).toMatch(/d="M58,26L437,[\d.]+L816,214"/)
})

test('what is no map is refused', () => {
  const { map } = reportOf()
  const refused = (changed: object) => () => renderMap({ ...reportOf(), map: { ...map, ...changed } })
  expect(refused({ y: new Float32Array(3) })).toThrow(/as many values of x, y/)
  expect(refused({ columns: [{ kind: 'number', name: 'short', values: new Float64Array(2) }] })).toThrow(/column short/)
  expect(refused({ y: Float32Array.from(map.y, (v, i) => (i === 4 ? Number.NaN : v)) })).toThrow(/point 5: .* finite/)
})

describe.skipIf(!hasChromium)('in a browser', () => {
  let folder: string
  let browser: Browser
  let address: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pare-map-'))
    const file = join(folder, 'map.html')
    await writeFile(file, renderMap(reportOf()))
    address = String(pathToFileURL(file))
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await rm(folder, { recursive: true, force: true })
  })

  interface Opened {
    readonly page: Page
    readonly faults: readonly string[]
    readonly box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
    /** Colour and opacity of the pixel at a place of the stage. */
    pixel(x: number, y: number): Promise<readonly number[]>
  }

  async function opened(hash = '', options: Parameters<Browser['newPage']>[0] = {}): Promise<Opened> {
    const page = await browser.newPage({ viewport: { width: 1000, height: 800 }, ...options })
    const faults: string[] = []
    page.on('pageerror', ({ message }) => faults.push(message))
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
    page.on('request', (request) => /^(file|blob):/.test(request.url()) || faults.push(request.url()))
    await page.goto(address + hash)
    await page.locator('#map-stage[data-frames]').waitFor()
    const outer = (await page.locator('#map-stage').boundingBox())!
    // Within its border.
    const box = { x: outer.x + 1, y: outer.y + 1, width: outer.width - 2, height: outer.height - 2 }
    const pixel = async (x: number, y: number): Promise<readonly number[]> => {
      // The frame after what was just done; a drawing buffer is read before it is handed to the screen.
      const shot = await page.screenshot({ clip: { x: box.x + x, y: box.y + y, width: 1, height: 1 } })
      const { default: sharp } = await import('sharp')
      return [...(await sharp(shot).removeAlpha().raw().toBuffer())]
    }
    return { page, faults, box, pixel }
  }

  const painterOf = ({ page }: Opened) => page.locator('#map-stage').getAttribute('data-painter')

  /** Where a place of the map lies on the stage while all of it is seen: its middle is that of the extents. */
  async function pixelsOf({ box }: Opened, x: number, y: number): Promise<readonly [number, number]> {
    const { map } = reportOf()
    const [left, right] = [Math.min(...Array.from(map.x)), Math.max(...Array.from(map.x))]
    const [low, high] = [Math.min(...Array.from(map.y)), Math.max(...Array.from(map.y))]
    const scale = (0.94 * Math.min(box.width, box.height)) / Math.max(right - left, high - low)
    return [box.width / 2 + (x - (left + right) / 2) * scale, box.height / 2 - (y - (low + high) / 2) * scale]
  }

  test.each(['', '#webgl'])('paints a lone point where it lies, and moves and zooms it (%s)', async (hash) => {
    const on = await opened(hash)
    expect(await painterOf(on)).toBe(hash === '' ? 'canvas' : 'webgl')
    const [x, y] = await pixelsOf(on, 20, 0)
    const [red, green, blue] = await on.pixel(x, y)
    // Class a: #0b6bcb at four fifths over white.
    expect(Math.abs(red! - 60) + Math.abs(green! - 137) + Math.abs(blue! - 213)).toBeLessThan(30)
    expect(await on.pixel(x - 30, y)).toEqual([255, 255, 255])
    await on.page.mouse.move(on.box.x + 200, on.box.y + 50)
    await on.page.mouse.down()
    await on.page.mouse.move(on.box.x + 140, on.box.y + 90, { steps: 3 })
    await on.page.mouse.up()
    await on.page.waitForTimeout(50)
    expect(await on.pixel(x, y)).toEqual([255, 255, 255])
    expect((await on.pixel(x - 60, y + 40))[0]).toBeLessThan(120)
    await on.page.getByRole('button', { name: 'Whole map' }).click()
    await on.page.mouse.move(on.box.x + x, on.box.y + y)
    await on.page.mouse.wheel(0, -400)
    await on.page.waitForTimeout(50)
    // What lies under the pointer stays there.
    expect((await on.pixel(x, y))[0]).toBeLessThan(120)
    expect(on.faults).toEqual([])
    await on.page.close()
  })

  test('two fingers that move apart zoom in on what lies between them', async () => {
    const on = await opened()
    const [x, y] = (await pixelsOf(on, 20, 0)).map(Math.round) as [number, number]
    const [cx, cy] = await pixelsOf(on, 0, 8)
    await on.page.evaluate(`{
      const stage = document.getElementById('map-stage')
      const { left, top } = stage.getBoundingClientRect()
      stage.setPointerCapture = () => {}
      const finger = (type, pointerId, x) => stage.dispatchEvent(new PointerEvent(type, {
        pointerId, pointerType: 'touch', clientX: left + 1 + x, clientY: top + 1 + ${y}, bubbles: true }))
      for (const id of [1, 2]) finger('pointerdown', id, ${x} + (id === 1 ? -20 : 20))
      for (let k = 1; k <= 30; k++) {
        finger('pointermove', 1, ${x} - 20 - 2 * k)
        finger('pointermove', 2, ${x} + 20 + 2 * k)
      }
      for (const id of [1, 2]) finger('pointerup', id, 0)
    }`)
    await on.page.waitForTimeout(50)
    // Four times as far from the fingers as before.
    expect((await on.pixel(x, y))[0]).toBeLessThan(120)
    const around = await Promise.all([0, 4, 8].map((d) => on.pixel(cx + d, cy + d)))
    expect(around).toEqual([0, 1, 2].map(() => [255, 255, 255]))
    expect(on.faults).toEqual([])
    await on.page.close()
  })

  test('points are named under the pointer, and by keys', async () => {
    const on = await opened()
    const [x, y] = await pixelsOf(on, 20, 0)
    await on.page.mouse.move(on.box.x + x + 3, on.box.y + y)
    const tip = on.page.locator('#map-tip')
    expect(await tip.innerText()).toMatch(/^row 301\nkinda\nsize30\ntsne120\.00\ntsne20$/)
    await on.page.mouse.move(on.box.x + x + 60, on.box.y + y)
    expect(await tip.isHidden()).toBe(true)
    await on.page.locator('#map-stage').focus()
    const press = async (key: string, times: number): Promise<void> => {
      for (let k = 0; k < times; k++) await on.page.keyboard.press(key)
    }
    await press('ArrowRight', Math.round((x - on.box.width / 2) / 60))
    await press('ArrowDown', Math.round((y - on.box.height / 2) / 60))
    expect(await on.page.locator('#map-status').textContent()).toBe('row 301, kind a, size 30, tsne1 20.00, tsne2 0')
    await on.page.keyboard.press('0')
    expect(on.faults).toEqual([])
    await on.page.close()
  })

  test('a lasso and a rectangle choose points, which are downloaded as CSV; hidden classes are left out', async () => {
    const on = await opened()
    const { map } = reportOf()
    const count = on.page.locator('#map-count')
    const drag = async (places: readonly (readonly [number, number])[]): Promise<void> => {
      const at = await Promise.all(places.map(([x, y]) => pixelsOf(on, x, y)))
      await on.page.mouse.move(on.box.x + at[0]![0], on.box.y + at[0]![1])
      await on.page.mouse.down()
      for (const [x, y] of at.slice(1)) await on.page.mouse.move(on.box.x + x, on.box.y + y, { steps: 4 })
      await on.page.mouse.up()
    }
    await on.page.getByRole('button', { name: 'Rectangle' }).click()
    await drag([
      [-8, 3],
      [-2, -3],
    ])
    expect(await count.innerText()).toBe('100 of 301 points are chosen.')
    const [download] = await Promise.all([
      on.page.waitForEvent('download'),
      on.page.getByRole('button', { name: 'Download CSV' }).click(),
    ])
    const lines = (await readFile((await download.path())!, 'utf8')).trimEnd().split('\n')
    expect(lines[0]).toBe('row,tsne1,tsne2,kind,size')
    expect(lines).toHaveLength(101)
    for (const line of lines.slice(1)) {
      const [row, x, y, kind] = line.split(',')
      expect([Math.fround(Number(x)), Math.fround(Number(y))]).toEqual([map.x[Number(row) - 1], map.y[Number(row) - 1]])
      expect(kind).toBe('a')
    }
    await on.page.getByRole('button', { name: 'Lasso' }).click()
    await drag([
      [3, 3],
      [8, 3],
      [8, -3],
      [3, -3],
      [3, 2.9],
    ])
    expect(await count.innerText()).toBe('100 of 301 points are chosen.')
    await on.page.getByRole('button', { name: /^a / }).click()
    await on.page.getByRole('button', { name: 'Choose what is seen' }).click()
    expect(await count.innerText()).toBe('200 of 301 points are chosen.')
    await on.page.locator('#map-stage').focus()
    await on.page.keyboard.press('Escape')
    expect(await count.innerText()).toBe('No points are chosen.')
    expect(on.faults).toEqual([])
    await on.page.close()
  })

  test('colours follow the column that is asked for, and hidden classes are not painted', async () => {
    const on = await opened()
    const [x, y] = await pixelsOf(on, 20, 0)
    expect(await on.page.locator('.map-class').allInnerTexts()).toEqual(['a\n101', `${EVIL}\n100`, 'c,d\n100'])
    expect(await on.page.title()).toContain('t-SNE of </script>')
    await on.page.locator('.map-class').first().click()
    await on.page.waitForTimeout(50)
    expect(await on.pixel(x, y)).toEqual([255, 255, 255])
    await on.page.getByRole('combobox').selectOption('size')
    await on.page.waitForTimeout(50)
    expect(await on.page.locator('.map-ends').innerText()).toMatch(/^≤ 0\.3\d*\s+1\d\.\d+\s+≥ 29\.\d+$/)
    expect(await on.page.locator('#map-legend .map-n').innerText()).toBe('1 without a value are grey')
    // The top of the scale: green to yellow.
    const [red, green, blue] = await on.pixel(x, y)
    expect(green! - blue!).toBeGreaterThan(60)
    expect(red!).toBeGreaterThan(blue!)
    expect(on.faults).toEqual([])
    await on.page.close()
  })

  test.each([360, 3840])('nothing overflows at a width of %i, light or dark', async (width) => {
    const on = await opened('', { viewport: { width, height: 900 }, colorScheme: 'dark' })
    expect(await on.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
    expect(on.box.width).toBeGreaterThan(width === 360 ? 300 : 1000)
    expect((await on.pixel(5, 5)).every((part) => part < 40)).toBe(true)
    expect(on.faults).toEqual([])
    await on.page.close()
  })
})
