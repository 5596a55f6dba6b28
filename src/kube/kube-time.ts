/** A time as the Kubernetes API has it in conditions and events: in seconds. `ms` since 1970. */
export function kubeTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
