import type { Dispatcher } from 'undici'

/** An answer that was read to its end. */
export interface WholeAnswer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/**
 * Sends a request and reads all of its answer. Without undici's `request`, which makes a stream of every answer: that
 * takes time when there are many. Rejects as undici does, and at once with the abort reason.
 */
export function readWhole(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  signal: AbortSignal,
): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    let stop: (() => void) | undefined
    const abort = () => {
      stop?.()
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    const unfollow = () => signal.removeEventListener('abort', abort)
    let head: Pick<WholeAnswer, 'statusCode' | 'headers'> = { statusCode: 0, headers: {} }
    const chunks: Buffer[] = []
    dispatcher.dispatch(options, {
      onRequestStart(controller) {
        stop = () => controller.abort(new Error('nobody waits for the answer'))
        // While it was connecting.
        if (signal.aborted) stop()
      },
      onResponseStart(_controller, statusCode, headers) {
        head = { statusCode, headers }
      },
      onResponseData(_controller, chunk) {
        chunks.push(chunk)
      },
      onResponseEnd() {
        unfollow()
        resolve({ ...head, body: Buffer.concat(chunks).toString('utf8') })
      },
      onResponseError(_controller, error) {
        unfollow()
        reject(error)
      },
    })
  })
}
