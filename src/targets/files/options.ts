import { isAbsolute, resolve } from 'node:path'
import * as z from 'zod'
import { durationField } from '../../mirror/options.ts'
import { FILE_MODE_FORMS, parseFileMode } from '../../util/file-mode.ts'
import { type HookOptions, hooksSchema } from '../hooks/options.ts'
import { type RenderOptions, renderListSchema } from '../render/options.ts'
import { type RewriteOptions, rewriteSchema } from '../rewrite/options.ts'
import { type ValidateOptions, validateSchema } from '../validate/options.ts'
import type { LayoutKind } from './layout.ts'

/** How a mirror is written as files. */
export interface FilesTargetOptions {
  /** Absolute, without `.`, `..` or a trailing "/"; never "/". */
  readonly root: string
  readonly layout: LayoutKind
  /** Snapshot: how long a published tree stays unchanged after the next one is published. */
  readonly readerGraceMs: number
  /** Permission bits of files. */
  readonly mode: number
  /** Other permission bits of files, by globs on paths; the first that fits counts. */
  readonly modes: readonly { readonly files: readonly string[]; readonly mode: number }[]
  /** Permission bits of directories. */
  readonly directoryMode: number
  readonly startup: {
    /** Absolute path of the fallback; '' = none. */
    readonly seedFrom: string
    readonly seedAfterMs: number
  }
  /** What is rendered, at least one. */
  readonly render: readonly RenderOptions[]
  readonly rewrite: readonly RewriteOptions[]
  readonly validate: readonly ValidateOptions[]
  readonly hooks: readonly HookOptions[]
}

/** `target.files` of mirror.yaml. */
export const filesTargetSchema = z
  .strictObject({
    root: z
      .string()
      .transform((text, context) => {
        const fault = rootFault(text)
        if (fault === undefined) return resolve(text)
        context.issues.push({ code: 'custom', message: fault, input: text })
        return z.NEVER
      })
      .describe('Directory that this mirror owns: an absolute path, not "/".'),
    layout: z
      .enum(['Snapshot', 'InPlace'])
      .prefault('Snapshot')
      .describe(
        'Snapshot: the whole tree at one revision behind <root>/current. InPlace: <root>/<key path>, atomic per file only.',
      ),
    readerGrace: durationField('1s').describe(
      'Snapshot: how long a published tree stays unchanged after the next one is published. InPlace: not used.',
    ),
    mode: modeField(0o400, 'must let the owner read (0400)')
      .prefault('0644')
      .describe('Permission bits of files, octal text.'),
    modes: z
      .array(
        z
          .strictObject({
            files: z
              .array(z.string().min(1, 'must not be empty').max(1024, 'is too long').describe('A glob on paths.'))
              .min(1, 'must not be empty')
              .max(100, 'must not hold more than 100 globs')
              .describe('Globs on paths below the root of the tree.'),
            mode: modeField(0o400, 'must let the owner read (0400)').describe('Permission bits, octal text.'),
          })
          .describe('One rule.'),
      )
      .max(100, 'must not hold more than 100 rules')
      .prefault([])
      .describe('Other permission bits of files: the first rule that a path matches counts.'),
    directoryMode: modeField(0o700, 'must let the owner read, write and enter (0700)')
      .prefault('0755')
      .describe('Permission bits of directories, octal text.'),
    startup: z
      .strictObject({
        seedFrom: z
          .string()
          .prefault('')
          .transform((text, context) => {
            if (text === '' || isAbsolute(text)) return text
            context.issues.push({ code: 'custom', message: 'must be an absolute path', input: text })
            return z.NEVER
          })
          .describe('Directory of files to publish when etcd stays away and nothing was ever published; "" = none.'),
        seedAfter: durationField('30s').describe('How long etcd may stay away before seedFrom is published.'),
      })
      .prefault({})
      .transform(({ seedFrom, seedAfter }) => ({ seedFrom, seedAfterMs: seedAfter }))
      .describe('What consumers get when etcd was never reached.'),
    render: renderListSchema,
    rewrite: rewriteSchema,
    validate: validateSchema,
    hooks: hooksSchema,
  })
  .transform(({ readerGrace, ...rest }): FilesTargetOptions => ({ ...rest, readerGraceMs: readerGrace }))
  .describe('A directory tree.')

function rootFault(root: string): string | undefined {
  if (root.includes('\0')) return 'must not hold a NUL byte'
  if (!isAbsolute(root)) return 'must be an absolute path'
  return resolve(root) === '/' ? 'must not be "/"' : undefined
}

function modeField(required: number, fault: string) {
  const forms = `must be ${FILE_MODE_FORMS}`
  return z
    .string()
    .max(4, forms)
    .transform((text, context) => {
      const mode = parseFileMode(text)
      if (mode !== undefined && (mode & required) === required) return mode
      const message = mode === undefined ? forms : fault
      context.issues.push({ code: 'custom', message, input: text })
      return z.NEVER
    })
}
