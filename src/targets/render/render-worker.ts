// Runs in a process of its own, which can be killed whatever it is given. It ends with the one that started it.
import { GuardError } from '../../mirror/guard-error.ts'
import { Document } from './document.ts'
import { KeyValues } from './key-values.ts'
import { templateFault } from './liquid.ts'
import type { RenderAnswer, RenderJob } from './render-job.ts'
import { ManifestRenderer } from './render-manifests.ts'

const manifests = new ManifestRenderer()

function answer(job: RenderJob): RenderAnswer {
  try {
    return { bytes: job.kind === 'document' ? document(job) : manifests.render(job) }
  } catch (error) {
    if (!(error instanceof GuardError)) return { fault: templateFault(error) }
    const { message, hint = '', key } = error
    return { fault: { state: message, hint, key } }
  }
}

function document({ options, entries }: Extract<RenderJob, { kind: 'document' }>): Buffer {
  const values = new KeyValues(() => true)
  for (const [id, value] of entries) values.set(Buffer.from(id, 'latin1'), Buffer.from(value))
  return new Document(options).bytesOf(values.sorted)
}

process.on('message', (job: RenderJob) => process.send?.(answer(job)))
process.send?.('ready')
