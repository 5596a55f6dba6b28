import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../src/kube/kube-object.ts'
import { ensureHelm } from '../rig/ensure.mjs'
import { makeTempDir, type TempDir } from './temp-dir.ts'

const exec = promisify(execFile)
export const CHART = join(import.meta.dirname, '../../deploy/helm/etcd-mirror')

/** Values of the chart, as values.yaml has them. */
export type ChartValues = Readonly<Record<string, unknown>>

/** Flags that set these values. */
export function valueFlags(values: ChartValues): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => ['--set-json', `${name}=${JSON.stringify(value)}`])
}

/** helm with a home of its own. */
export class Helm implements AsyncDisposable {
  readonly #program: string
  readonly #home: TempDir

  static async make(): Promise<Helm> {
    return new Helm(await ensureHelm(), await makeTempDir('helm'))
  }

  private constructor(program: string, home: TempDir) {
    this.#program = program
    this.#home = home
  }

  /** Resolves with stdout; rejects with stderr when helm fails. */
  async run(args: readonly string[], kubeconfig?: string): Promise<string> {
    const env = { HOME: this.#home.path, ...(kubeconfig !== undefined && { KUBECONFIG: kubeconfig }) }
    return (await exec(this.#program, args, { env, maxBuffer: 64 << 20 })).stdout
  }

  /** The manifests of the chart in the namespace `etcd-mirror`, those of the hooks too. */
  async template(values: ChartValues = {}): Promise<string> {
    const place = ['--namespace', 'etcd-mirror', '--kube-version', '1.34.0']
    return await this.run(['template', 'etcd-mirror', CHART, ...place, ...valueFlags(values)])
  }

  /** Why the chart does not take these values; "accepted" when it does. */
  async refusal(values: ChartValues): Promise<string> {
    return await this.template(values).then(
      () => 'accepted',
      ({ stderr }: { stderr: string }) => stderr,
    )
  }

  async objects(values: ChartValues = {}): Promise<readonly KubeObject[]> {
    return parseAllDocuments(await this.template(values)).flatMap((document) => document.toJS() ?? [])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#home[Symbol.asyncDispose]()
  }
}
