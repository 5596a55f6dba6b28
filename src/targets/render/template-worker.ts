// Runs in a thread of its own, which can be stopped whatever a template does.
import { parentPort, workerData } from 'node:worker_threads'
import { newLiquid, registerFilters, templateFault } from './liquid.ts'
import { TemplateKeys } from './template-keys.ts'
import { TEMPLATE_LIMITS } from './template-limits.ts'
import type { TemplateAnswer, TemplateRequest, TemplateWorkerData } from './template-messages.ts'

const { prefix, templates } = workerData as TemplateWorkerData

const engines = templates.map(({ text, env }) => {
  const keys = new TemplateKeys()
  const liquid = newLiquid()
  registerFilters(liquid, keys, () => env)
  const parsed = liquid.parse(text)
  return { keys, render: (revision: number): string => liquid.renderSync(parsed, { revision, prefix }) }
})

function answer({ template, revision, puts, deletes }: TemplateRequest): TemplateAnswer {
  const engine = engines[template]
  for (const key of deletes) engine?.keys.set(key, undefined)
  for (const [key, value] of puts) engine?.keys.set(key, value)
  try {
    const bytes = Buffer.from(engine?.render(revision) ?? '')
    if (bytes.length <= TEMPLATE_LIMITS.outputBytes) return { bytes }
    const state = `it would have ${bytes.length} bytes, at most ${TEMPLATE_LIMITS.outputBytes} are possible`
    return { fault: { state, hint: 'Make it smaller, or several of it.', key: undefined } }
  } catch (error) {
    return { fault: templateFault(error) }
  }
}

parentPort?.on('message', (request: TemplateRequest) => parentPort?.postMessage(answer(request)))
