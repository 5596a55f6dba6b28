/** What went wrong and, where that is known, what to do about it; for conditions. */
export function withHint({ message, hint }: { readonly message: string; readonly hint?: string | undefined }): string {
  return hint === undefined ? message : `${message}. ${hint}`
}
