import type { ProcessConfig } from './process-config.ts'

/** The same mirrors with nobody to tell of a publish; hooks that can veto one stay. The copies are the same. */
export function withoutAfterHooks(config: ProcessConfig): ProcessConfig {
  const mirrors = config.mirrors.map((mirror) => {
    if (!('files' in mirror.target)) return mirror
    const { files } = mirror.target
    const hooks = files.hooks.filter(({ phase }) => phase !== 'AfterPublish')
    return { ...mirror, target: { files: { ...files, hooks } } }
  })
  return { ...config, mirrors }
}
