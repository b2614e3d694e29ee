import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConversionResult, Converter, Preset } from '../../src/conversion/contract.ts'
import { type ConverterOptions, createConverter } from '../../src/conversion/pool.ts'

/** A converter with a directory to work in. */
export interface Converting extends AsyncDisposable {
  readonly converter: Converter
  readonly root: string
  convert(
    bytes: Buffer | string,
    presets: readonly Preset[],
    signal?: AbortSignal,
  ): Promise<ConversionResult>
}

export async function createConverting(
  options: Partial<ConverterOptions> = {},
): Promise<Converting> {
  const root = await mkdtemp(join(tmpdir(), 'landfall-converting-'))
  const converter = createConverter({ concurrency: 1, memory: 2 ** 30, ...options })
  return {
    converter,
    root,
    async convert(bytes, presets, signal = new AbortController().signal) {
      const outputDirectory = await mkdtemp(join(root, 'out-'))
      const input = `${outputDirectory}.original`
      await writeFile(input, bytes)
      return converter.convert({ input, outputDirectory, presets }, signal)
    },
    async [Symbol.asyncDispose]() {
      await converter.close()
      await rm(root, { recursive: true })
    },
  }
}
