import type { ProvidedContext } from 'vitest'
import type { TestProject } from 'vitest/node'
import { postgresService } from './services/postgres.ts'
import type { RunningService, TestService } from './services/service.ts'

/** The servers the tests share; they know nothing of each other and start together. */
const services: readonly TestService[] = [postgresService]

/** Starts the services, hands what they provide to the tests, and returns how to stop them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const starts = await Promise.allSettled(services.map((service) => service.start()))
  const running = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
  const failure = starts.find((start) => start.status === 'rejected')
  if (failure) {
    await stopAll(running)
    throw failure.reason
  }
  for (const service of running) provideAll(project, service.provides)
  return () => stopAll(running)
}

function provideAll(project: TestProject, provides: Partial<ProvidedContext>): void {
  for (const key of keysOf(provides)) {
    const value = provides[key]
    if (value !== undefined) project.provide(key, value)
  }
}

const keysOf = <T extends object>(value: T) => Object.keys(value) as (keyof T)[]

async function stopAll(running: readonly RunningService[]): Promise<void> {
  await Promise.all(running.map((service) => service.stop()))
}
