import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import { createInstance } from '../../../src/operations/instance.ts'

const nobody = () => false
const everybody = () => true

describe('an instance', () => {
  it('names host, process and start', () => {
    const one = createInstance({ host: 'host', pid: 7 })
    const two = createInstance({ host: 'host', pid: 7 })
    expect(one.holder).toMatch(/^host:7:[0-9a-f-]{36}$/)
    expect(one.holder).not.toBe(two.holder)
  })

  it('is not dead itself', () => {
    const instance = createInstance({ isRunning: nobody })
    expect(instance.isDeadHolder(instance.holder)).toBe(false)
  })

  it('knows that its own process id cannot belong to an earlier start', () => {
    const before = createInstance({ host: 'container', pid: 1 })
    const after = createInstance({ host: 'container', pid: 1, isRunning: everybody })
    expect(after.isDeadHolder(before.holder)).toBe(true)
  })

  it('knows that a process on its host is gone, and that another one is not', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    const pid = child.pid ?? 0
    const other = createInstance({ pid })
    const instance = createInstance()
    expect(instance.isDeadHolder(other.holder)).toBe(false)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(instance.isDeadHolder(other.holder)).toBe(true)
  })

  it('never calls a holder on another host dead', () => {
    const instance = createInstance({ host: 'here', pid: 1, isRunning: nobody })
    expect(instance.isDeadHolder(createInstance({ host: 'there', pid: 1 }).holder)).toBe(false)
    expect(instance.isDeadHolder(createInstance({ host: 'there', pid: 2 }).holder)).toBe(false)
  })

  it('calls everybody else dead when it is alone', () => {
    const instance = createInstance({ host: 'here', alone: true, isRunning: everybody })
    expect(instance.isDeadHolder(createInstance({ host: 'there' }).holder)).toBe(true)
    expect(instance.isDeadHolder(instance.holder)).toBe(false)
  })

  it('does not take a process of another container for its own, whatever the host is called', () => {
    const { holder } = createInstance()
    const [space = '', pid, start] = holder.split(':')
    const elsewhere = [`${space}0`, pid, start].join(':')
    expect(createInstance({ isRunning: nobody }).isDeadHolder(elsewhere)).toBe(false)
    expect(space).not.toBe(hostname())
  })

  it('calls nothing dead that it cannot read', () => {
    const instance = createInstance({ host: 'here', isRunning: nobody })
    for (const holder of ['', 'here', 'here:', 'here:x:y', ':1:y']) {
      expect(instance.isDeadHolder(holder)).toBe(false)
    }
  })
})
