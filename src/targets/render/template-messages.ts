/** What a worker is started with. */
export interface TemplateWorkerData {
  readonly prefix: string
  readonly templates: readonly { readonly text: string; readonly env: Readonly<Record<string, string>> }[]
}

/** Brings the worker's keys up to date, then asks for one file. */
export interface TemplateRequest {
  readonly template: number
  readonly revision: number
  readonly puts: readonly (readonly [key: string, value: Uint8Array])[]
  readonly deletes: readonly string[]
}

export type TemplateAnswer =
  | { readonly bytes: Uint8Array; readonly fault?: undefined }
  | { readonly fault: TemplateFault; readonly bytes?: undefined }

/** Why there is no file, without anything of a value. */
export interface TemplateFault {
  readonly state: string
  readonly hint: string
  readonly key: string | undefined
}
