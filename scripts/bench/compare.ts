import { formatTable } from '../support/text.ts'
import { median } from './lane.ts'

/** One thing that is measured, and how it reads. */
export interface Column<M> {
  readonly title: string
  value(measurement: M): number
}

/** Who is measured: the first against each of the others. */
interface Named {
  readonly name: string
  readonly shortName: string
}

export interface Comparison<C extends Named, M> {
  readonly contestants: readonly C[]
  readonly rounds: number
  readonly columns: readonly Column<M>[]
  measure(contestant: C): Promise<M>
}

/** Measures all of them in every round, prints what came out, and returns it. */
export async function compare<C extends Named, M>({
  contestants,
  rounds,
  columns,
  measure,
}: Comparison<C, M>): Promise<ReadonlyMap<C, readonly M[]>> {
  const measured = new Map(contestants.map((contestant) => [contestant, [] as M[]]))
  for (let round = 0; round < rounds; round += 1) {
    // Whoever goes first finds the machine in another state: they take turns.
    for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
      const measurement = await measure(contestant)
      measured.get(contestant)?.push(measurement)
      const cells = known(columns, [measurement]).map(
        ({ title, value }) => `${show(value(measurement))} ${title}`,
      )
      console.log(`  round ${round + 1}  ${contestant.shortName}: ${cells.join(', ')}`)
    }
  }
  console.log(`\n${summary(measured, columns)}`)
  return measured
}

function summary<C extends Named, M>(
  measured: ReadonlyMap<C, readonly M[]>,
  allColumns: readonly Column<M>[],
): string {
  const columns = known(allColumns, [...measured.values()].flat())
  const rows = [...measured].map(([{ name, shortName }, measurements]) => ({
    name,
    shortName,
    values: columns.map(({ value }) => measurements.map(value)),
  }))
  const [first, ...others] = rows
  const ratios = others.map(({ shortName, values }) => [
    `${first?.shortName} ÷ ${shortName}`,
    ...values.map((value, index) => showRatio(medianRatio(first?.values[index] ?? [], value))),
  ])
  return formatTable(
    ['median', ...columns.map(({ title }) => title)],
    [...rows.map(({ name, values }) => [name, ...values.map(median).map(show)]), ...ratios],
  )
}

/** Without what the system does not tell, or what there is not. */
function known<M>(columns: readonly Column<M>[], measurements: readonly M[]): Column<M>[] {
  return columns.filter(({ value }) => measurements.some((one) => !Number.isNaN(value(one))))
}

/** Of the ratios within a round: what disturbs a machine comes and goes, and meets neighbours alike. */
function medianRatio(values: readonly number[], others: readonly number[]): number {
  return median(values.map((value, round) => value / (others[round] ?? Number.NaN)))
}

/** A dash for what cannot be told. */
export function show(value: number): string {
  return Number.isFinite(value) ? value.toFixed(Math.abs(value) < 100 ? 2 : 0) : '–'
}

function showRatio(ratio: number): string {
  return Number.isFinite(ratio) ? `${show(ratio)}×` : '–'
}
