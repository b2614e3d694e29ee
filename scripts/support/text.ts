/** Rows as aligned columns; columns of numbers are aligned to the right. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const columns = header.map((title, index) => {
    const cells = rows.map((row) => row[index] ?? '')
    const width = Math.max(title.length, ...cells.map((cell) => cell.length))
    const right = cells.length > 0 && cells.every((cell) => /^[\d.,–]/.test(cell) && cell !== '')
    return (cell: string) => (right ? cell.padStart(width) : cell.padEnd(width))
  })
  const line = (cells: readonly string[]) =>
    columns
      .map((align, index) => align(cells[index] ?? ''))
      .join('  ')
      .trimEnd()
  const rule = columns.map((align) => '─'.repeat(align('').length))
  return [line(header), line(rule), ...rows.map(line)].join('\n')
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** `3.4 MiB`. */
export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1)
  const amount = bytes / 1024 ** power
  return `${power === 0 ? amount : amount.toFixed(1)} ${units[power]}`
}
