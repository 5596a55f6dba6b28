import type { DocumentOptions, ValueForm } from './options.ts'
import type { TemplateFault } from './template-messages.ts'

/** What a process of its own is asked to render, from nothing but what the job holds. */
export type RenderJob =
  | {
      readonly kind: 'document'
      readonly options: DocumentOptions
      /** Keys below the prefix, one byte a character, with their values. */
      readonly entries: readonly (readonly [id: string, value: Uint8Array])[]
    }
  | {
      readonly kind: 'manifests'
      /** Liquid. */
      readonly template: string
      /** What the template sees beside what it is told of keys. */
      readonly context: Readonly<Record<string, unknown>>
      /** At least one. */
      readonly keys: readonly ManifestKey[]
      /** It sees the keys as `keys`, and its filters look at them. Else there is one key, of which it sees everything. */
      readonly isGroup: boolean
      readonly form: ValueForm
    }

/** A key as a template sees it, with its value. */
export interface ManifestKey {
  readonly facts: { readonly key: string } & Readonly<Record<string, unknown>>
  readonly value: Uint8Array
}

/** `isStopped`: it took too long or too much memory. A fault holds nothing of a value. */
export type RenderAnswer =
  | { readonly bytes: Uint8Array; readonly fault?: undefined }
  | { readonly fault: TemplateFault; readonly isStopped?: boolean; readonly bytes?: undefined }
