import { READER_GRACE_MS } from './mirror-under-test.ts'
import { PatientReader } from './patient-reader.ts'
import type { Random } from './random.ts'
import { TreeRecorder } from './tree-recorder.ts'

/** Everybody who reads the published trees of a round. */
export class Readers implements AsyncDisposable {
  readonly recorder: TreeRecorder
  readonly patient: PatientReader

  constructor(root: string, random: Random) {
    this.recorder = new TreeRecorder(root)
    this.patient = new PatientReader(root, READER_GRACE_MS, random)
  }

  /** Trees that were read from end to end. */
  get reads(): number {
    return this.recorder.reads + this.patient.reads
  }

  /** To be called in the same turn of the event loop as the removal. */
  rootWasRemoved(): void {
    this.recorder.rootWasRemoved()
    this.patient.discard()
  }

  /** Runs `work` without looking. */
  async whileBlind(work: () => Promise<void>): Promise<void> {
    this.#setBlind(true)
    await work()
    this.#setBlind(false)
  }

  /** Rejects with what went wrong in reading. */
  async stop(): Promise<void> {
    await Promise.all([this.recorder.stop(), this.patient.stop()])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.recorder[Symbol.asyncDispose](), this.patient[Symbol.asyncDispose]()])
  }

  #setBlind(isBlind: boolean): void {
    this.recorder.setBlind(isBlind)
    this.patient.setBlind(isBlind)
  }
}
