/** Does something with each of a list, so many at a time; the first failure ends it. */
export async function atOnce<T>(
  list: Iterable<T>,
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const items = list[Symbol.iterator]()
  const worker = async () => {
    for (let next = items.next(); !next.done; next = items.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: most }, worker))
}
