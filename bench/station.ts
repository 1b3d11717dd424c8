/** A program of the load in its namespace, that answers orders line by line: load-clients.ts, load-lan.ts or load-crowd.ts. */

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import { type Network, project } from '../test/support/netns.ts'

export class Station {
  private readonly child: ChildProcess
  private readonly answers: Interface

  constructor(network: Network, namespace: string, program: string, ...words: string[]) {
    const argv = network.inside(namespace, process.execPath, `${project}/dist/bench/${program}.js`, ...words)
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.answers = createInterface({ input: this.child.stdout! })
  }

  async obey<T>(order: object): Promise<T> {
    const answer = new Promise<string>((resolve, reject) => {
      const ended = () => reject(new Error('a program of the load ended'))
      if (this.child.exitCode !== null || this.child.signalCode !== null) return ended()
      this.child.once('exit', ended)
      this.answers.once('line', line => {
        this.child.off('exit', ended)
        resolve(line)
      })
    })
    this.child.stdin!.write(`${JSON.stringify(order)}\n`)
    const told = JSON.parse(await answer) as T & { failed?: string }
    if (told.failed !== undefined) throw new Error(told.failed)
    return told
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = new Promise(resolve => this.child.once('exit', resolve))
    this.child.kill('SIGKILL')
    await gone
  }
}
