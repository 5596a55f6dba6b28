import { mirrorFileJsonSchema } from '../config/mirror-file-json-schema.ts'
import type { CommandContext } from './command-context.ts'
import { EXIT_CODES } from './exit-code.ts'

/** `etcd-mirror schema`: prints the JSON schema of mirror.yaml. */
export async function schema(_flags: unknown, { stdout }: Pick<CommandContext, 'stdout'>): Promise<number> {
  stdout.write(`${JSON.stringify(mirrorFileJsonSchema(), null, 2)}\n`)
  return EXIT_CODES.done
}
