import type { Machine } from './machine.ts'

/** What a container has used since it started. */
export interface ContainerUsage {
  /** Memory that is no file's, now. */
  readonly anonymousBytes: number
  /** The most at once, with the pages of files that it wrote and that could be dropped. */
  readonly peakBytes: number
  readonly cpuSeconds: number
}

/** Reads the control groups, of either version, of a running container. */
export async function containerUsage(machine: Machine, id: string): Promise<ContainerUsage> {
  const names = ['memory.stat', 'memory.max_usage_in_bytes', 'memory.peak', 'cpuacct.usage', 'cpu.stat']
  const tests = names.map((name) => `-name ${name}`).join(' -o ')
  const find = `find /sys/fs/cgroup -path '*${id}/*' \\( ${tests} \\)`
  const lines = (await machine.exec(['bash', '-c', `${find} -exec grep -H '' {} +`])).split('\n')
  const read = (pattern: RegExp): number | undefined => {
    const [found] = lines.flatMap((line) => pattern.exec(line)?.[1] ?? [])
    return found === undefined ? undefined : Number(found)
  }
  const nanoseconds = read(/cpuacct\.usage:(\d+)$/)
  const usage = {
    anonymousBytes: read(/memory\.stat:(?:total_rss|anon) (\d+)$/),
    peakBytes: read(/memory\.(?:max_usage_in_bytes|peak):(\d+)$/),
    cpuSeconds:
      nanoseconds === undefined ? (read(/cpu\.stat:usage_usec (\d+)$/) ?? Number.NaN) / 1e6 : nanoseconds / 1e9,
  }
  const { anonymousBytes, peakBytes, cpuSeconds } = usage
  if (anonymousBytes === undefined || peakBytes === undefined || Number.isNaN(cpuSeconds)) {
    throw new Error(`Cannot read the control groups of container ${id}`)
  }
  return { anonymousBytes, peakBytes, cpuSeconds }
}

/** For people to look at in a table. */
export function usageRow({ anonymousBytes, peakBytes, cpuSeconds }: ContainerUsage): Readonly<Record<string, number>> {
  const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20)
  return {
    'anonymous MiB': mebibytes(anonymousBytes),
    'peak MiB, with file pages': mebibytes(peakBytes),
    'CPU s': Math.round(cpuSeconds * 10) / 10,
  }
}
