import { formatBytes } from './text.ts'

const barWidth = 32
const plainStep = 0.1

/** Shows how something gets on: a bar that moves on a terminal, lines elsewhere. */
export class Progress {
  readonly #total: number
  readonly #format: (amount: number) => string
  readonly #terminal = process.stdout.isTTY
  #shown = 0

  constructor(total: number, format: (amount: number) => string = formatBytes) {
    this.#total = total
    this.#format = format
  }

  update(sent: number): void {
    const share = sent / this.#total
    if (this.#terminal) {
      process.stdout.write(`\r\x1b[2K${this.#bar(sent)}`)
    } else if (share >= this.#shown + plainStep || (share === 1 && this.#shown < 1)) {
      this.#shown = share
      console.log(this.#bar(sent))
    }
  }

  /** A line of its own above the bar. */
  note(text: string): void {
    if (this.#terminal) process.stdout.write('\r\x1b[2K')
    console.log(`  ${text}`)
  }

  /** Leaves the bar as it stands. */
  end(): void {
    if (this.#terminal) process.stdout.write('\n')
  }

  #bar(sent: number): string {
    const share = sent / this.#total
    const filled = Math.round(share * barWidth)
    const bar = '█'.repeat(filled) + '░'.repeat(barWidth - filled)
    const percent = `${Math.floor(share * 100)}`.padStart(3)
    return `  ${bar} ${percent} %  ${this.#format(sent)} of ${this.#format(this.#total)}`
  }
}
