import type { MirrorStatus } from '../mirror/mirror-status.ts'
import type { TextOutput } from './command-context.ts'

const EVERY_MS = 200
const WIDTH = 30
const TO_LINE_START = '\r\u001b[2K'

/**
 * Shows on a terminal how far the snapshots of a sync have got, below the log that goes through it. On anything else the
 * log alone is written. Disposing of it takes the bar away.
 */
export class ProgressBar implements TextOutput, Disposable {
  readonly #output: TextOutput
  readonly #isShown: boolean
  #timer: NodeJS.Timeout | undefined
  #status: () => readonly MirrorStatus[] = () => []
  #bar = ''

  /** `isForPeople`: the log is text, so that a bar fits in. */
  constructor(output: TextOutput, isForPeople: boolean) {
    this.#output = output
    this.#isShown = isForPeople && output.isTTY === true
  }

  /** Shows the mirrors of `status` from now on. */
  follow(status: () => readonly MirrorStatus[]): void {
    if (!this.#isShown) return
    this.#status = status
    this.#timer ??= setInterval(() => this.#draw(this.#current()), EVERY_MS)
    this.#timer.unref()
  }

  write(text: string): void {
    if (this.#bar === '') return void this.#output.write(text)
    // The line may say that the sync is done: the bar of a moment ago is not drawn below that.
    this.#bar = this.#current()
    this.#output.write(`${TO_LINE_START}${text}${this.#bar}`)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#draw('')
  }

  #current(): string {
    return barOf(this.#status(), this.#output.columns ?? 80)
  }

  #draw(bar: string): void {
    if (bar === this.#bar) return
    this.#output.write(`${TO_LINE_START}${bar}`)
    this.#bar = bar
  }
}

/** '' = no snapshot is being taken. */
function barOf(mirrors: readonly MirrorStatus[], columns: number): string {
  const running = mirrors.filter(({ snapshot }) => snapshot !== undefined)
  const [first] = running
  if (first === undefined) return ''
  const read = running.reduce((sum, { snapshot }) => sum + (snapshot?.read ?? 0), 0)
  const total = running.reduce((sum, { snapshot }) => sum + (snapshot?.total ?? 0), 0)
  const share = total === 0 ? 1 : read / total
  const done = Math.round(share * WIDTH)
  const name = running.length === 1 ? first.name : `${running.length} mirrors`
  const bar = `[${'#'.repeat(done)}${'.'.repeat(WIDTH - done)}] ${Math.floor(share * 100)} %`
  return `${bar}  ${read} of ${total} keys  ${name}`.slice(0, columns - 1)
}
