import type { Preset, RenditionFormat } from './contract.ts'
import { enclosing, type Frame, fitInside, frameOf, pixelsOf, type Size } from './size.ts'

/** Something to encode: one or more presets get the file. */
export interface Task extends Frame {
  readonly focus: Preset['focus']
  readonly format: RenditionFormat
  readonly quality: number | undefined
  /** All that are shown one after the other; 1 for a still. */
  readonly frames: number
  readonly presets: readonly string[]
}

/** What is to be done about an original. */
export interface Plan {
  /** The largest first. */
  readonly tasks: readonly Task[]
  /** Of the decoded copy that every still is made from. */
  readonly copy: Size
}

export interface Moving extends Size {
  /** Frames of an animation; 1 for anything else. */
  readonly frames: number
}

/**
 * Works out what to encode. Presets that ask for the same pixels in the same format and quality
 * share a task. Of a preset that lets an animation move, only the WebP is made: a still beside it,
 * in a format that clients prefer, would be what they get.
 * @param least the least the copy has to hold, whatever the presets are.
 */
export function planWork(original: Moving, presets: readonly Preset[], least: Size): Plan {
  const tasks = new Map<string, Task>()
  for (const preset of presets) {
    for (const task of tasksOf(original, preset)) {
      const key = keyOf(task)
      const known = tasks.get(key)
      tasks.set(key, known ? { ...known, presets: [...known.presets, ...task.presets] } : task)
    }
  }
  const sorted = [...tasks.values()].sort((a, b) => pixelsOf(b) - pixelsOf(a))
  const copies = sorted.map(({ whole }) => whole)
  return { tasks: sorted, copy: enclosing([fitInside(original, least), ...copies]) }
}

function tasksOf(original: Moving, preset: Preset): Task[] {
  const frame = frameOf(original, preset)
  const moves = preset.animated && preset.formats.includes('webp') && original.frames > 1
  const formats: readonly RenditionFormat[] = moves ? ['webp'] : preset.formats
  return formats.map((format) => ({
    ...frame,
    focus: preset.focus,
    format,
    quality: preset.quality[format],
    frames: moves ? original.frames : 1,
    presets: [preset.name],
  }))
}

/** The same for tasks whose files would be the same. */
function keyOf({ width, height, whole, focus, format, quality, frames }: Task): string {
  const isCut = whole.width > width || whole.height > height
  return JSON.stringify([width, height, isCut ? focus : null, format, quality, frames])
}
